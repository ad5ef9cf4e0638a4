// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"
#include "say.h"

/*
 * Output goes to files in memory and not to pipes: a program that prints much to
 * both streams would have to be read from both at a time.
 */
static int memory_file(const char *content)
{
	size_t len = content ? strlen(content) : 0;
	int fd = memfd_create("mackeep", MFD_CLOEXEC);

	if (fd < 0 || write(fd, content ?: "", len) != (ssize_t)len ||
	    lseek(fd, 0, SEEK_SET) < 0)
		die(FAILED, "memory file: %s", strerror(errno));
	return fd;
}

static char *slurp(int fd)
{
	struct stat stat;
	ssize_t len = 0;
	char *text;

	if (fstat(fd, &stat) < 0)
		stat.st_size = 0;
	text = malloc(stat.st_size + 1);
	if (!text)
		out_of_memory();
	if (stat.st_size)
		len = pread(fd, text, stat.st_size, 0);
	text[len > 0 ? len : 0] = '\0';
	close(fd);
	return text;
}

struct result run(const char *const *argv, const char *input)
{
	int fd[3] = { memory_file(input), memory_file(NULL), memory_file(NULL) };
	struct result result;
	int status, i;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		die(FAILED, "%s: cannot be started: %s", argv[0],
		    strerror(errno));
	if (!pid) {
		for (i = 0; i < 3; i++)
			if (dup2(fd[i], i) < 0)
				_exit(127);
		setenv("LC_ALL", "C", 1);
		/* This very program, wherever it is */
		if (!strcmp(argv[0], "mackeep"))
			execv("/proc/self/exe", (char *const *)argv);
		execvp(argv[0], (char *const *)argv);
		dprintf(STDERR_FILENO, "%s: %s; install it\n", argv[0],
			strerror(errno));
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
	close(fd[0]);
	result.out = slurp(fd[1]);
	result.err = slurp(fd[2]);
	return result;
}

struct result run_words(const json_t *words, const char *input)
{
	size_t i, n = json_array_size(words);
	const char **argv = calloc(n + 1, sizeof(*argv));
	struct result result;

	if (!argv)
		out_of_memory();
	for (i = 0; i < n; i++)
		argv[i] = json_string_value(json_array_get(words, i));
	result = run(argv, input);
	free(argv);
	return result;
}

void run_free(struct result *result)
{
	free(result->out);
	free(result->err);
}

json_t *run_json(const char *const *argv)
{
	static const char warning[] = "warning: ";
	struct result result = run(argv, NULL);
	const char *text = result.out;
	json_t *json = NULL;

	/* The nft of Debian 11 warns on stdout of what it has no JSON for. */
	while (!strncmp(text, warning, strlen(warning))) {
		text = strchrnul(text, '\n');
		text += *text == '\n';
	}
	if (!result.status)
		json = json_loads(text, 0, NULL);
	run_free(&result);
	return json;
}
