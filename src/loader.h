/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loader.h - the BPF object that this program carries, on its way into the kernel.
 */
#ifndef SHUNT_LOADER_H
#define SHUNT_LOADER_H

#include "datapath.h"

struct shunt_bpf;
struct bpf_map;
struct btf;

/* Reads the object; nothing of it is in the kernel yet. *ret is the caller's to loader_close(). A load that fails says why. */
int loader_open(struct shunt_bpf **ret, struct shunt_error *error);
void loader_closep(struct shunt_bpf **loader);

/* The map of an object that is one, for bpf_map__reuse_fd() and for what it is made of. */
struct bpf_map *loader_map(const struct shunt_bpf *loader, enum datapath_object object);
/* How many entries each map of flows is to have, before anything is in the kernel. Return: 0 or an errno */
int loader_size_flows(struct shunt_bpf *loader, uint32_t entries, struct shunt_error *error);
/* What describes its types; the object's own. */
const struct btf *loader_btf(const struct shunt_bpf *loader);

/* Makes maps and programs, and writes into the meta map that they are ours and of this network namespace. */
int loader_load(struct shunt_bpf *loader, struct shunt_error *error);
int loader_fd(const struct shunt_bpf *loader, enum datapath_object object);

/* Pins all of it in STATE/loading, which it makes; what was there before is removed. */
int loader_stage(const struct shunt_bpf *loader, const char *state, struct shunt_error *error);

#endif
