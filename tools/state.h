/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What "mackeep up" has begun, in /run/mackeep: a file for each bridge of each
 * network namespace, with the options and the steps of up. A step is written
 * down before it is done, so that down finds all of them whatever happens to up.
 *
 * The file of a namespace other than the first has the namespace's cookie in its
 * name. No later namespace ever gets the same cookie.
 */
#ifndef _TOOLS_STATE_H
#define _TOOLS_STATE_H

#include <jansson.h>

#define STATE_DIRECTORY	"/run/mackeep"

/* "" in the first namespace, else "@COOKIE" */
const char *namespace_suffix(void);
/* The same, but "@NAME" if it has a name in /run/netns: for what outlives it */
const char *namespace_name(void);
const char *state_path(const char *bridge);
/* A bridge's file with another end; valid until the next but one call */
const char *state_file(const char *bridge, const char *end);
/* Opens a file there, which it makes, for reading and writing. */
int state_open(const char *path);

/* Waits for others that change the state, once. The lock goes with the process. */
void state_lock(void);
json_t *state_load(const char *bridge);		/* NULL: nothing is up */
/* Its services as groups_json() makes them, borrowed; NULL stands for no state. */
json_t *state_services(const json_t *state);
/* The order of a bridge among those that are up, which stays while it is */
unsigned int state_order(const char *bridge);
void state_save(const char *bridge, const json_t *state);
/* With what exempt.c has beside it */
void state_remove(const char *bridge);
/* Calls each(bridge, state, data) for every file of this namespace. */
void state_each(void (*each)(const char *, json_t *, void *), void *data);

/*
 * Takes a step, plan[i], and adds it to a state. What comes behind it in the plan
 * does so there, also when it is there already: down goes backwards.
 */
void state_add(json_t *state, json_t *step, const json_t *plan, size_t i);
/* The same step in a state, borrowed, or NULL */
json_t *state_find(const json_t *state, const json_t *step);
/* The same step of another bridge, to be freed, or NULL */
json_t *state_shared(const char *bridge, const json_t *step);

#endif /* _TOOLS_STATE_H */
