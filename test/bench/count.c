// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * count.c - a plugin for QEMU's TCG: how often each block of the guest's kernel ran, between marks that the guest sets.
 *
 * A mark is one instruction that nobody else uses: see MARK, and mark.c. At each, what has been counted since the one
 * before goes to the file "out": a line "mark N", then lines "ADDRESS RUNS INSTRUCTIONS" in hexadecimal, decimal, decimal.
 * All of user space is one block at address 0. The guest has one CPU, so nothing here is locked.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mark.h"

/* The part of QEMU's plugin interface that is used here; Debian packages no header. */
enum { VERSION = 4, NO_REGISTERS = 0 };
struct tb;
struct insn;
typedef void executed(unsigned int cpu, void *data);
typedef void translated(uint64_t id, struct tb *tb);
size_t qemu_plugin_tb_n_insns(const struct tb *tb);
struct insn *qemu_plugin_tb_get_insn(const struct tb *tb, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct insn *insn);
size_t qemu_plugin_insn_data(const struct insn *insn, void *ret, size_t size);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, translated *callback);
void qemu_plugin_register_vcpu_tb_exec_cb(struct tb *tb, executed *callback, int flags, void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct insn *insn, executed *callback, int flags, void *data);

int qemu_plugin_version = VERSION;
int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv);

enum { BLOCKS = 1 << 20 };
static struct block {
	uint64_t address, insns, runs;
} blocks[BLOCKS];
static FILE *out;
static unsigned int marks;

/* Finds or makes the block; the same code may have been cut into blocks in several ways. */
static struct block *block_at(uint64_t address, uint64_t insns)
{
	uint64_t slot = (address * 0x9e3779b97f4a7c15 ^ insns) >> 20;
	struct block *b;

	for (;; slot++) {
		b = &blocks[slot % BLOCKS];
		if (!b->insns)
			*b = (struct block){ .address = address, .insns = insns };
		if (b->address == address && b->insns == insns)
			return b;
	}
}

static void on_block(unsigned int cpu, void *data)
{
	struct block *b = data;

	(void)cpu;
	b->runs++;
}

static void on_mark(unsigned int cpu, void *data)
{
	(void)cpu;
	(void)data;
	fprintf(out, "mark %u\n", marks++);
	for (struct block *b = blocks; b < blocks + BLOCKS; b++) {
		if (b->runs)
			fprintf(out, "%lx %lu %lu\n", b->address, b->runs, b->runs * b->insns);
		b->runs = 0;
	}
	fflush(out);
}

static void on_translation(uint64_t id, struct tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);
	uint64_t address = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, 0));
	int user = address >> 63 == 0;

	(void)id;
	qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, NO_REGISTERS, block_at(user ? 0 : address, n));
	for (size_t i = 0; user && i < n; i++) {
		struct insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint8_t bytes[sizeof(MARK) - 1];

		if (qemu_plugin_insn_data(insn, bytes, sizeof(bytes)) == sizeof(bytes) && !memcmp(bytes, MARK, sizeof(bytes)))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark, NO_REGISTERS, NULL);
	}
}

int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "out=", 4) != 0)
		return -1;
	out = fopen(argv[0] + 4, "we");
	if (!out)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
	return 0;
}
