/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ports.h"

#include "unit.h"

static void ranges_are_read(void **state)
{
	static const char *const bad[] = {
		"", "-", "1024", "1024-", "-2000", "0-100", "2000-1000", "1000-1062", "1-65536", "1 -100", "1-100 ", "a-b", "1--100",
		"100000-200000", "0x10-0x100", "1024-2048-4096",
	};
	struct port_range range;

	(void)state;
	assert_int_equal(port_range_parse("1000-1063", &range), 0);
	assert_int_equal(range.low, 1000);
	assert_int_equal(range.high, 1063);
	assert_int_equal(port_range_parse("1-65535", &range), 0);
	assert_int_equal(range.high, 65535);
	for (size_t i = 0; i < ELEMENTSOF(bad); i++)
		if (port_range_parse(bad[i], &range) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
}

static void a_gap_beside_the_hosts_own_is_chosen(void **state)
{
	static const struct {
		struct port_range local, expected;
	} cases[] = {
		{ { 32768, 60999 }, { 16384, 32767 } },		/* the kernel's own default */
		{ { 1024, 30000 }, { 49152, 65535 } },
		{ { 10000, 65535 }, { 1024, 9999 } },
		{ { 1024, 65471 }, { 65472, 65535 } },		/* as few as may be */
		{ { 1, 1023 }, { 49152, 65535 } },
		{ { 1, 1 }, { 49152, 65535 } },
		{ { 65535, 65535 }, { 49151, 65534 } },
	};
	struct port_range range;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		assert_int_equal(ports_choose(&cases[i].local, &range), 0);
		assert_int_equal(range.low, cases[i].expected.low);
		assert_int_equal(range.high, cases[i].expected.high);
	}
	assert_int_equal(ports_choose(&(struct port_range) { 1024, 65535 }, &range), -ERANGE);
	assert_int_equal(ports_choose(&(struct port_range) { 1087, 65472 }, &range), -ERANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_are_read),
		cmocka_unit_test(a_gap_beside_the_hosts_own_is_chosen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
