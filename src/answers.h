/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * answers.h - the map "answers": by which port of the host a container's is reached.
 */
#ifndef SHUNT_ANSWERS_H
#define SHUNT_ANSWERS_H

#include "datapath.h"

/* Makes it what "publications" says now. Under the lock "ports". Return: 0 or an errno */
int answers_write(const struct datapath *datapath);

#endif
