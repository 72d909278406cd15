/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A no-operation of seven bytes whose offset no compiler would choose: how the guest tells count.c to mark. */
#pragma once

#define MARK "\x0f\x1f\x80" "mark"
