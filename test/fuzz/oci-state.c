// SPDX-License-Identifier: GPL-2.0-or-later
/* Invariant 7: whatever a runtime writes, or a container's owner annotates, is read or refused. */
#include "names.h"
#include "oci.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct oci_request request;
	struct oci_state state, by_id;
	struct shunt_error error;
	int r = oci_state_parse_id((const char *)data, size, &by_id, &error);

	if (r >= 0 && id_check(by_id.id, NULL) < 0)
		__builtin_trap();
	if (r >= 0)
		oci_state_done(&by_id);
	if (oci_state_parse((const char *)data, size, &state, &error) < 0)
		return 0;
	/* What was taken in can be taken back. */
	if (r < 0)
		__builtin_trap();
	if (id_check(state.id, NULL) < 0 || state.pid < 0)
		__builtin_trap();
	if (oci_request(&state, &request, &error) >= 0)
		oci_request_done(&request);
	oci_state_done(&state);
	return 0;
}
