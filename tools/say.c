// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/mackeep.h>

#include "say.h"

const char *command_name;

const char *bold = "", *red = "", *green = "", *yellow = "", *cyan = "";
const char *plain = "";
bool terminal;
unsigned int columns = 80;

void screen(void)
{
	const char *no_color = getenv("NO_COLOR");
	struct winsize size;

	terminal = isatty(STDOUT_FILENO);
	if (!terminal)
		return;
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col >= 40)
		columns = size.ws_col;
	if (no_color && *no_color)
		return;
	bold = "\033[1m";
	red = "\033[31m";
	green = "\033[32m";
	yellow = "\033[33m";
	cyan = "\033[36m";
	plain = "\033[m";
}

/* Flushes stdout first, so that both streams keep their order. */
static void say(const char *format, va_list args)
{
	fflush(stdout);
	fprintf(stderr, "mackeep: %s%s", command_name ?: "",
		command_name ? ": " : "");
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

void complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
}

void die(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
	exit(status);
}

void note(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "mackeep v%s: ", MACKEEP_VERSION);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}
