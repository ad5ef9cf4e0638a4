// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "file.h"
#include "genl.h"
#include "run.h"
#include "say.h"
#include "step.h"
#include "text.h"

json_t *words(const char *first, ...)
{
	json_t *array = json_array();
	const char *word;
	va_list args;

	va_start(args, first);
	for (word = first; word; word = va_arg(args, const char *))
		json_array_append_new(array, json_string(word));
	va_end(args);
	return array;
}

json_t *step_add(json_t *plan, json_t *todo, json_t *undo, json_t *test)
{
	json_t *step = json_object();

	json_object_set_new(step, "do", todo);
	if (undo)
		json_object_set_new(step, "undo", undo);
	if (test)
		json_object_set_new(step, "test", test);
	json_array_append_new(plan, step);
	return step;
}

json_t *step_sysctl(json_t *plan, const char *key, const char *value,
		    const char *missing)
{
	char file[128], old[64], set[192], reset[192];
	json_t *one;

	snprintf(file, sizeof(file), "/proc/sys/%s", key);
	if (!file_line(file, old, sizeof(old))) {
		if (!missing)
			return NULL;
		snprintf(old, sizeof(old), "%s", missing);
	}
	snprintf(set, sizeof(set), "%s=%s", key, value);
	snprintf(reset, sizeof(reset), "%s=%s", key, old);
	one = step_add(plan, WORDS("sysctl", "-q", "-w", set),
		       WORDS("sysctl", "-q", "-w", reset), NULL);
	json_text(one, "file", file);
	json_text(one, "value", value);
	return one;
}

/* Both may have none: json_equal() takes two NULLs for different. */
static bool same(const json_t *one, const json_t *other, const char *key)
{
	const json_t *a = json_object_get(one, key);
	const json_t *b = json_object_get(other, key);

	return a == b || json_equal(a, b);
}

bool step_same(const json_t *one, const json_t *other)
{
	return same(one, other, "do") && same(one, other, "do_input");
}

static bool done(const json_t *step, bool whole)
{
	const json_t *test = json_object_get(step, "test");
	const char *expect = json_string_value(json_object_get(step, "expect"));
	const char *rest = whole ?
		json_string_value(json_object_get(step, "whole")) : NULL;
	const char *want = json_string_value(json_object_get(step, "value"));
	const char *file = json_string_value(json_object_get(step, "file"));
	struct module module;
	struct result result;
	char value[128];
	bool there;

	if (json_object_get(step, "module"))
		return genl_module(&module);
	if (file)
		return file_line(file, value, sizeof(value)) && want &&
		       !strcmp(value, want);
	if (!test)
		return false;
	result = run_words(test, NULL);
	there = !result.status && *result.out &&
		(!expect || strstr(result.out, expect)) &&
		(!rest || strstr(result.out, rest));
	run_free(&result);
	return there;
}

bool step_done(const json_t *step)
{
	return done(step, true);
}

bool step_begun(const json_t *step)
{
	return done(step, false);
}

static void word_print(FILE *file, const char *word)
{
	static const char plain_chars[] = "_-./:=,@%+";
	const char *c;

	for (c = word; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr(plain_chars, *c))
			break;
	if (*word && !*c) {
		fputs(word, file);
		return;
	}
	putc('\'', file);
	for (c = word; *c; c++)
		if (*c == '\'')
			fputs("'\\''", file);
		else
			putc(*c, file);
	putc('\'', file);
}

static void words_print(FILE *file, const json_t *argv)
{
	const json_t *word;
	size_t i;

	json_array_foreach(argv, i, word) {
		if (i)
			putc(' ', file);
		word_print(file, json_string_value(word));
	}
}

static void command_print(FILE *file, const json_t *argv, const char *input)
{
	words_print(file, argv);
	if (input)
		fprintf(file, " <<'END'\n%sEND", input);
	putc('\n', file);
}

char *step_words(const json_t *argv)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	if (!file)
		out_of_memory();
	words_print(file, argv);
	fclose(file);
	return text;
}

/* What the command reads, or NULL */
static const char *input_of(const json_t *step, const char *which)
{
	return json_string_value(json_object_get(step, *which == 'd' ?
						 "do_input" : "undo_input"));
}

/* The words of the command, to be freed */
static json_t *command_of(const json_t *step, const char *which)
{
	json_t *command = json_copy(json_object_get(step, which));

	if (*which == 'd')
		json_array_extend(command, json_object_get(step, "do_more"));
	return command;
}

int step_run(const json_t *step, const char *which)
{
	json_t *command = command_of(step, which);
	const char *input = input_of(step, which);
	struct result result = run_words(command, input);
	int status = result.status;

	if (status) {
		fprintf(stderr, "mackeep: this failed: ");
		command_print(stderr, command, input);
		fputs(*result.err ? result.err : result.out, stderr);
	}
	run_free(&result);
	json_decref(command);
	return status;
}

void step_print(const json_t *step, const char *which, const char *prefix)
{
	json_t *command = command_of(step, which);

	fputs(prefix, stdout);
	command_print(stdout, command, input_of(step, which));
	json_decref(command);
}
