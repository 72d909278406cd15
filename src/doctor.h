/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * doctor.h - checks of a host, each of which adds findings. Nothing is changed by looking, and a check that cannot
 * look says so.
 */
#ifndef SHUNT_DOCTOR_H
#define SHUNT_DOCTOR_H

#include "shunt/shunt.h"

enum severity {
	SEVERITY_OK,
	SEVERITY_WARN,		/* something is missing or slower than it could be */
	SEVERITY_FAIL,		/* containers cannot be connected, or are cut off */
};

struct finding {
	const char *check;		/* a word that programs may look for */
	enum severity severity;
	struct shunt_error message;
	struct shunt_error remedy;	/* empty where nothing is to be done */
};

struct doctor {
	const char *state;	/* state directory */
	struct finding *findings;
	size_t n;
	int r;			/* -ENOMEM once it was true; findings are incomplete then */
};

/**
 * doctor_add() - Add one finding
 * @remedy:	what to do, or ""
 * @format:	of the message; what it quotes is stripped of control characters
 */
void doctor_add(struct doctor *doctor, const char *check, enum severity severity, const char *remedy,
		const char *format, ...) __attribute__((format(printf, 5, 6)));

/* What the kernel can do, and whether we may ask it: doctor-kernel.c */
void doctor_kernel(struct doctor *doctor);

/* Networks against the host's routes and each other: doctor-network.c */
void doctor_networks(struct doctor *doctor);

/* What is attached, and who would attach it: doctor-host.c */
void doctor_endpoints(struct doctor *doctor);
void doctor_podman(struct doctor *doctor);

#endif
