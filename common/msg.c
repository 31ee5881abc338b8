/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/msg.h"

#include <errno.h>
#include <string.h>

/* A map or array is opened with its 32-bit form, and the count put in when it is closed. */
#define HEAD_MAP32   0xdf
#define HEAD_ARRAY32 0xdd

static void put_key(struct msg *m, const char *key)
{
	size_t n;

	if (m->depth)
		m->open[m->depth - 1].count++;
	if (!key)
		return;
	n = strlen(key);
	if (msgpack_pack_str(&m->packer, n) || msgpack_pack_str_body(&m->packer, key, n))
		m->error = -ENOMEM;
}

static void open_container(struct msg *m, const char *key, bool map)
{
	const char head[5] = { (char)(map ? HEAD_MAP32 : HEAD_ARRAY32) };

	put_key(m, key);
	if (m->depth == MSG_DEPTH) {
		m->error = -EMSGSIZE;
		return;
	}
	m->open[m->depth].at = m->buffer.size;
	m->open[m->depth].count = 0;
	m->open[m->depth].map = map;
	m->depth++;
	if (msgpack_sbuffer_write(&m->buffer, head, sizeof(head)))
		m->error = -ENOMEM;
}

void msg_begin(struct msg *m, const char *type)
{
	memset(m, 0, sizeof(*m));
	msgpack_sbuffer_init(&m->buffer);
	msgpack_packer_init(&m->packer, &m->buffer, msgpack_sbuffer_write);
	open_container(m, NULL, true);
	if (type)
		msg_add_str(m, "t", type);
}

void msg_add_uint(struct msg *m, const char *key, uint64_t value)
{
	put_key(m, key);
	if (msgpack_pack_uint64(&m->packer, value))
		m->error = -ENOMEM;
}

void msg_add_int(struct msg *m, const char *key, int64_t value)
{
	put_key(m, key);
	if (msgpack_pack_int64(&m->packer, value))
		m->error = -ENOMEM;
}

void msg_add_bool(struct msg *m, const char *key, bool value)
{
	put_key(m, key);
	if (value ? msgpack_pack_true(&m->packer) : msgpack_pack_false(&m->packer))
		m->error = -ENOMEM;
}

void msg_add_str(struct msg *m, const char *key, const char *value)
{
	size_t n = strlen(value);

	put_key(m, key);
	if (msgpack_pack_str(&m->packer, n) || msgpack_pack_str_body(&m->packer, value, n))
		m->error = -ENOMEM;
}

void msg_add_bin(struct msg *m, const char *key, const void *data, size_t size)
{
	put_key(m, key);
	if (msgpack_pack_bin(&m->packer, size) || msgpack_pack_bin_body(&m->packer, data, size))
		m->error = -ENOMEM;
}

void msg_open_map(struct msg *m, const char *key)
{
	open_container(m, key, true);
}

void msg_open_array(struct msg *m, const char *key)
{
	open_container(m, key, false);
}

void msg_close(struct msg *m)
{
	uint8_t *head;
	uint32_t count;

	if (m->error || !m->depth)
		return;
	m->depth--;
	head = (uint8_t *)m->buffer.data + m->open[m->depth].at + 1;
	count = m->open[m->depth].count;
	for (int i = 0; i < 4; i++)
		head[i] = (uint8_t)(count >> (24 - 8 * i));
}

int msg_finish(struct msg *m, const void **ret_data, size_t *ret_size)
{
	while (m->depth && !m->error)
		msg_close(m);
	if (m->error)
		return m->error;
	*ret_data = m->buffer.data;
	*ret_size = m->buffer.size;
	return 0;
}

void msg_free(struct msg *m)
{
	msgpack_sbuffer_destroy(&m->buffer);
	msgpack_sbuffer_init(&m->buffer);
}

static const msgpack_object *find(const msgpack_object *map, const char *key)
{
	size_t n = strlen(key);

	if (map->type != MSGPACK_OBJECT_MAP)
		return NULL;
	for (uint32_t i = 0; i < map->via.map.size; i++) {
		const msgpack_object_kv *kv = &map->via.map.ptr[i];

		if (kv->key.type == MSGPACK_OBJECT_STR && kv->key.via.str.size == n && !memcmp(kv->key.via.str.ptr, key, n))
			return &kv->val;
	}
	return NULL;
}

int msg_item_uint(const msgpack_object *item, uint64_t *ret)
{
	if (item->type != MSGPACK_OBJECT_POSITIVE_INTEGER)
		return -EPROTO;
	*ret = item->via.u64;
	return 0;
}

int msg_item_str(const msgpack_object *item, char *ret, size_t size)
{
	if (item->type != MSGPACK_OBJECT_STR || memchr(item->via.str.ptr, 0, item->via.str.size))
		return -EPROTO;
	if (item->via.str.size >= size)
		return -EMSGSIZE;
	memcpy(ret, item->via.str.ptr, item->via.str.size);
	ret[item->via.str.size] = 0;
	return 0;
}

int msg_item_bin(const msgpack_object *item, const void **ret_data, size_t *ret_size)
{
	if (item->type != MSGPACK_OBJECT_BIN)
		return -EPROTO;
	*ret_data = item->via.bin.ptr;
	*ret_size = item->via.bin.size;
	return 0;
}

int msg_get_uint(const msgpack_object *map, const char *key, uint64_t *ret)
{
	const msgpack_object *o = find(map, key);

	return o ? msg_item_uint(o, ret) : -ENOENT;
}

int msg_get_u32(const msgpack_object *map, const char *key, uint32_t *ret)
{
	uint64_t value;
	int r = msg_get_uint(map, key, &value);

	if (r < 0)
		return r;
	if (value > UINT32_MAX)
		return -EPROTO;
	*ret = (uint32_t)value;
	return 0;
}

int msg_get_int(const msgpack_object *map, const char *key, int64_t *ret)
{
	const msgpack_object *o = find(map, key);

	if (!o)
		return -ENOENT;
	if (o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER) {
		*ret = o->via.i64;
		return 0;
	}
	if (o->type != MSGPACK_OBJECT_POSITIVE_INTEGER || o->via.u64 > INT64_MAX)
		return -EPROTO;
	*ret = (int64_t)o->via.u64;
	return 0;
}

int msg_get_bool(const msgpack_object *map, const char *key, bool *ret)
{
	const msgpack_object *o = find(map, key);

	if (!o)
		return -ENOENT;
	if (o->type != MSGPACK_OBJECT_BOOLEAN)
		return -EPROTO;
	*ret = o->via.boolean;
	return 0;
}

int msg_get_str(const msgpack_object *map, const char *key, char *ret, size_t size)
{
	const msgpack_object *o = find(map, key);

	return o ? msg_item_str(o, ret, size) : -ENOENT;
}

int msg_get_bin(const msgpack_object *map, const char *key, const void **ret_data, size_t *ret_size)
{
	const msgpack_object *o = find(map, key);

	return o ? msg_item_bin(o, ret_data, ret_size) : -ENOENT;
}

int msg_get_array(const msgpack_object *map, const char *key, const msgpack_object **ret_items, uint32_t *ret_count)
{
	const msgpack_object *o = find(map, key);

	if (!o)
		return -ENOENT;
	if (o->type != MSGPACK_OBJECT_ARRAY)
		return -EPROTO;
	*ret_items = o->via.array.ptr;
	*ret_count = o->via.array.size;
	return 0;
}

int msg_get_map(const msgpack_object *map, const char *key, const msgpack_object **ret_map)
{
	const msgpack_object *o = find(map, key);

	if (!o)
		return -ENOENT;
	if (o->type != MSGPACK_OBJECT_MAP)
		return -EPROTO;
	*ret_map = o;
	return 0;
}

bool msg_is(const msgpack_object *map, const char *type)
{
	const msgpack_object *o = find(map, "t");
	size_t n = strlen(type);

	return o && o->type == MSGPACK_OBJECT_STR && o->via.str.size == n && !memcmp(o->via.str.ptr, type, n);
}
