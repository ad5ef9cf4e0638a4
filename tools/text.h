/* SPDX-License-Identifier: GPL-2.0-only */
/* Values as text, and output as lines or JSON. */
#ifndef _TOOLS_TEXT_H
#define _TOOLS_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Allocated; dies when there is no memory. */
char *format(const char *format, ...) __attribute__((format(printf, 1, 2)));

const char *mac_text(const uint8_t *mac);	/* valid for three more calls */
const char *device_text(unsigned int ifindex);	/* "if7" when it is gone */
const char *via_text(unsigned int via);
const char *tcp_text(unsigned int state);	/* NULL: unknown */

/* Prints a line; on a terminal it is folded and the values of MACs are coloured. */
void print_line(char *line);

void json_int(json_t *object, const char *key, json_int_t value);
void json_text(json_t *object, const char *key, const char *value);

/* The text of a key; "" when it has none */
const char *json_get_text(const json_t *object, const char *key);
/* Its number; 0 when it has none */
json_int_t json_get_int(const json_t *object, const char *key);
bool json_is(const json_t *object, const char *key, const char *value);

/*
 * Prints an object and frees it. Between json_begin() and json_end() it is an
 * element of an array, elsewhere a line of its own.
 */
void json_print(json_t *object);
void json_begin(void);
void json_end(void);

#endif /* _TOOLS_TEXT_H */
