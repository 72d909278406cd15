// SPDX-License-Identifier: GPL-2.0-or-later
/* mark.c - sets a mark for count.c. Outside of a guest that has it, it does nothing. */
#include "mark.h"

int main(void)
{
	__asm__ volatile(".ascii \"" MARK "\"");
}
