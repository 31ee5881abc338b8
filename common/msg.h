/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Messages: one msgpack map with text keys. Building never fails half way: an allocation failure is kept and reported by
 * msg_finish(). Looking up never trusts: the type and the length are checked, the output is untouched on failure.
 */
#ifndef MOSIX_MSG_H
#define MOSIX_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <msgpack.h>

#define MSG_DEPTH 8

struct msg {
	msgpack_sbuffer buffer;
	msgpack_packer packer;
	int error;
	unsigned depth;
	struct { size_t at; uint32_t count; bool map; } open[MSG_DEPTH];
};

/*
 * msg_begin() opens the outer map and, unless type is NULL, gives it "t". In a map each msg_add_… takes a key, in an array
 * key is NULL. msg_open_…/msg_close nest. msg_finish() closes the outer map and returns the bytes (they belong to the
 * message) or -errno. msg_free() may be called at any point after msg_begin(), also twice.
 */
void msg_begin(struct msg *m, const char *type);
void msg_add_uint(struct msg *m, const char *key, uint64_t value);
void msg_add_int(struct msg *m, const char *key, int64_t value);
void msg_add_bool(struct msg *m, const char *key, bool value);
void msg_add_str(struct msg *m, const char *key, const char *value);
void msg_add_bin(struct msg *m, const char *key, const void *data, size_t size);
void msg_open_map(struct msg *m, const char *key);
void msg_open_array(struct msg *m, const char *key);
void msg_close(struct msg *m);
int msg_finish(struct msg *m, const void **ret_data, size_t *ret_size);
void msg_free(struct msg *m);

/*
 * Each returns 0; -ENOENT: no such key (or the object is no map); -EPROTO: another type, or a number out of range;
 * -EMSGSIZE: longer than the caller's room. Text with a NUL in it is -EPROTO. Binary data and arrays are not copied: they
 * live as long as the object.
 */
int msg_get_uint(const msgpack_object *map, const char *key, uint64_t *ret);
int msg_get_u32(const msgpack_object *map, const char *key, uint32_t *ret);
int msg_get_int(const msgpack_object *map, const char *key, int64_t *ret);
int msg_get_bool(const msgpack_object *map, const char *key, bool *ret);
int msg_get_str(const msgpack_object *map, const char *key, char *ret, size_t size);
int msg_get_bin(const msgpack_object *map, const char *key, const void **ret_data, size_t *ret_size);
int msg_get_array(const msgpack_object *map, const char *key, const msgpack_object **ret_items, uint32_t *ret_count);
int msg_get_map(const msgpack_object *map, const char *key, const msgpack_object **ret_map);

/* The same for the items of an array. */
int msg_item_uint(const msgpack_object *item, uint64_t *ret);
int msg_item_str(const msgpack_object *item, char *ret, size_t size);
int msg_item_bin(const msgpack_object *item, const void **ret_data, size_t *ret_size);

/* Whether "t" is this type. */
bool msg_is(const msgpack_object *map, const char *type);

#define MSG_AUTO __attribute__((cleanup(msg_free)))

#endif
