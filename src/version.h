/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHUNT_VERSION_H
#define SHUNT_VERSION_H

#define SHUNT_VERSION "0.1"

#endif
