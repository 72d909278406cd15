// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

#include "migrate.h"

/* Types as clang describes them, made by hand: u32, u64, and what each test puts together of them. */
struct types {
	struct btf *btf;
	int u16, u32, u64;
};

static void make_types(struct types *types)
{
	types->btf = btf__new_empty();
	assert_non_null(types->btf);
	types->u16 = btf__add_int(types->btf, "u16", 2, 0);
	types->u32 = btf__add_int(types->btf, "u32", 4, 0);
	types->u64 = btf__add_int(types->btf, "u64", 8, 0);
	assert_true(types->u16 > 0 && types->u32 > 0 && types->u64 > 0);
}

struct field {
	const char *name;
	int type;
	uint32_t offset;	/* bytes */
};

static int add_struct(const struct types *types, uint32_t size, const struct field *fields, size_t n)
{
	int id = btf__add_struct(types->btf, "s", size);

	for (size_t i = 0; i < n; i++)
		assert_int_equal(btf__add_field(types->btf, fields[i].name, fields[i].type, fields[i].offset * 8, 0), 0);
	assert_true(id > 0);
	return id;
}

static void assert_step(const struct migrate_step *step, uint32_t from, uint32_t to, uint32_t size)
{
	assert_int_equal(step->from, from);
	assert_int_equal(step->to, to);
	assert_int_equal(step->size, size);
}

static void fields_are_found_by_name(void **state)
{
	struct types a, b;
	struct migrate_plan plan;

	(void)state;
	make_types(&a);
	make_types(&b);
	{
		const struct field old[] = { { "flags", a.u32, 0 }, { "gone", a.u32, 4 }, { "count", a.u64, 8 } };
		const struct field new[] = { { "next", b.u64, 0 }, { "count", b.u64, 8 }, { "flags", b.u32, 16 } };
		const int from = add_struct(&a, 16, old, ELEMENTSOF(old)), to = add_struct(&b, 24, new, ELEMENTSOF(new));

		assert_int_equal(migrate_plan(a.btf, (uint32_t)from, b.btf, (uint32_t)to, &plan), 0);
	}
	assert_int_equal(plan.n, 2);
	assert_step(&plan.steps[0], 8, 8, 8);
	assert_step(&plan.steps[1], 0, 16, 4);
	btf__free(a.btf);
	btf__free(b.btf);
}

static void arrays_and_structs_go_element_by_element(void **state)
{
	struct types a, b;
	struct migrate_plan plan;

	(void)state;
	make_types(&a);
	make_types(&b);
	{
		/* struct { u32 x; } [2] becomes struct { u32 y, x; } [3]. */
		const struct field old[] = { { "x", a.u32, 0 } }, new[] = { { "y", b.u32, 0 }, { "x", b.u32, 4 } };
		const int from = btf__add_array(a.btf, a.u32, add_struct(&a, 4, old, 1), 2);
		const int to = btf__add_array(b.btf, b.u32, add_struct(&b, 8, new, 2), 3);

		assert_int_equal(migrate_plan(a.btf, (uint32_t)from, b.btf, (uint32_t)to, &plan), 0);
	}
	assert_int_equal(plan.n, 2);
	assert_step(&plan.steps[0], 0, 4, 4);
	assert_step(&plan.steps[1], 4, 12, 4);
	btf__free(a.btf);
	btf__free(b.btf);
}

static void neighbours_are_one_step_and_numbers_may_grow(void **state)
{
	struct types a;
	struct migrate_plan plan;

	(void)state;
	make_types(&a);
	{
		const struct field old[] = { { "p", a.u32, 0 }, { "q", a.u32, 4 }, { "r", a.u16, 8 } };
		const struct field new[] = { { "p", a.u32, 0 }, { "q", a.u32, 4 }, { "r", a.u32, 8 } };
		const int from = add_struct(&a, 12, old, ELEMENTSOF(old)), to = add_struct(&a, 12, new, ELEMENTSOF(new));

		assert_int_equal(migrate_plan(a.btf, (uint32_t)from, a.btf, (uint32_t)to, &plan), 0);
	}
	assert_int_equal(plan.n, 1);
	assert_step(&plan.steps[0], 0, 0, 10);
	btf__free(a.btf);
}

static void what_cannot_be_converted_is_refused(void **state)
{
	struct types a;
	struct migrate_plan plan;

	(void)state;
	make_types(&a);
	{
		const struct field number[] = { { "x", a.u32, 0 } }, array[] = { { "x", btf__add_array(a.btf, a.u32, a.u16, 2), 0 } };
		const int from = add_struct(&a, 4, number, 1), to = add_struct(&a, 4, array, 1);
		const int bits = btf__add_struct(a.btf, "bits", 4);

		assert_int_equal(migrate_plan(a.btf, (uint32_t)from, a.btf, (uint32_t)to, &plan), -EOPNOTSUPP);
		assert_int_equal(btf__add_field(a.btf, "x", a.u32, 0, 3), 0);
		assert_int_equal(migrate_plan(a.btf, (uint32_t)bits, a.btf, (uint32_t)from, &plan), -EOPNOTSUPP);
	}
	btf__free(a.btf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_found_by_name),
		cmocka_unit_test(arrays_and_structs_go_element_by_element),
		cmocka_unit_test(neighbours_are_one_step_and_numbers_may_grow),
		cmocka_unit_test(what_cannot_be_converted_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
