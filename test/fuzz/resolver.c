// SPDX-License-Identifier: GPL-2.0-or-later
/* Invariant 7: whatever is in the two files, what is made of them can be reached whole, and holds in the room that there is for it. */
#include "resolver.h"
#include "sandbox.h"
#include "util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The host's file, a form feed, and the upstream one; the first byte's low bits are the families. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *host = NULL, *text = NULL, *again = NULL;
	unsigned families;
	char *upstream;

	if (size < 1 || size > RESOLVER_FILE_MAX)
		return 0;
	families = data[0] % 3 + 1;
	host = strndup((const char *)data + 1, size - 1);
	if (!host)
		return 0;
	upstream = strchr(host, '\f');
	if (upstream)
		*upstream++ = '\0';
	if (resolver_compose(host, upstream, families, &text) < 0 || !text)
		return 0;
	if (strlen(text) + 2 > SANDBOX_RESOLVER_MAX || !strstr(text, "\nnameserver "))
		__builtin_trap();
	if (resolver_compose(text, NULL, families, &again) < 0 || again)
		__builtin_trap();
	return 0;
}
