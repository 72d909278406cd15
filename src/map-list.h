/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * map-list.h - all entries of a hash map at once.
 */
#ifndef SHUNT_MAP_LIST_H
#define SHUNT_MAP_LIST_H

#include <stddef.h>

/**
 * map_list() - Reads a whole BPF_MAP_TYPE_HASH
 * @key_size, @value_size: bytes
 * @ret:	its entries, in no order: each a key, and its value right behind; the caller's to free, and never NULL
 *
 * Return: 0 or an errno
 */
int map_list(int fd, size_t key_size, size_t value_size, void **ret, size_t *ret_n);

#endif
