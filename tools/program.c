// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "program.h"

static bool has_socket(int pid, const char *socket)
{
	char path[NAME_MAX + 32], link[64];
	struct dirent *entry;
	bool has = false;
	ssize_t len;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	while (dir && !has && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%s", pid, entry->d_name);
		len = readlink(path, link, sizeof(link) - 1);
		link[len < 0 ? 0 : len] = '\0';
		has = !strcmp(link, socket);
	}
	if (dir)
		closedir(dir);
	return has;
}

/* Whoever runs a program gives it any name. */
static void set_name(struct program *program)
{
	char path[32], *c;

	snprintf(path, sizeof(path), "/proc/%d/comm", program->pid);
	if (!file_line(path, program->name, sizeof(program->name)))
		snprintf(program->name, sizeof(program->name), "?");
	for (c = program->name; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("-_./:+", *c))
			*c = '?';
}

struct program program_of(uint32_t inode)
{
	struct program program = { 0 };
	struct dirent *entry;
	char socket[32];
	DIR *dir = opendir("/proc");
	int pid;

	snprintf(socket, sizeof(socket), "socket:[%u]", inode);
	while (dir && !program.pid && (entry = readdir(dir))) {
		pid = atoi(entry->d_name);
		if (pid > 0 && has_socket(pid, socket))
			program.pid = pid;
	}
	if (dir)
		closedir(dir);
	if (program.pid)
		set_name(&program);
	return program;
}
