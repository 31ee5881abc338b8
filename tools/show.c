/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "show.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mosix/call.h>
#include "common/msg.h"

/* ---- JSON ---- */

static json_t *to_json(const msgpack_object *object);

/* Text that is not UTF-8 (a process may call itself anything) is shown with '?' for what cannot be. */
static json_t *text_to_json(const char *text, size_t size)
{
	json_t *json = json_stringn(text, size);
	char *copy;

	if (json)
		return json;
	copy = malloc(size + 1);
	if (!copy)
		return NULL;
	for (size_t i = 0; i < size; i++)
		copy[i] = text[i] & 0x80 ? '?' : text[i];
	json = json_stringn(copy, size);
	free(copy);
	return json;
}

static json_t *map_to_json(const msgpack_object_map *map)
{
	json_t *json = json_object();

	for (uint32_t i = 0; json && i < map->size; i++) {
		const msgpack_object *key = &map->ptr[i].key;
		json_t *value = to_json(&map->ptr[i].val);

		if (key->type != MSGPACK_OBJECT_STR || !value ||
		    json_object_setn_new(json, key->via.str.ptr, key->via.str.size, value)) {
			json_decref(json);
			return NULL;
		}
	}
	return json;
}

static json_t *array_to_json(const msgpack_object_array *array)
{
	json_t *json = json_array();

	for (uint32_t i = 0; json && i < array->size; i++) {
		json_t *value = to_json(&array->ptr[i]);

		if (!value || json_array_append_new(json, value)) {
			json_decref(json);
			return NULL;
		}
	}
	return json;
}

static json_t *to_json(const msgpack_object *object)
{
	switch (object->type) {
	case MSGPACK_OBJECT_BOOLEAN:
		return json_boolean(object->via.boolean);
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
		return json_integer((json_int_t)object->via.u64);
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
		return json_integer(object->via.i64);
	case MSGPACK_OBJECT_FLOAT32:
	case MSGPACK_OBJECT_FLOAT64:
		return json_real(object->via.f64);
	case MSGPACK_OBJECT_STR:
		return text_to_json(object->via.str.ptr, object->via.str.size);
	case MSGPACK_OBJECT_ARRAY:
		return array_to_json(&object->via.array);
	case MSGPACK_OBJECT_MAP:
		return map_to_json(&object->via.map);
	default:
		return json_null();
	}
}

int show_json(const msgpack_object *map, const char *key)
{
	json_t *json = to_json(map), *part = json;

	if (!json)
		return -ENOMEM;
	json_object_del(json, "t");
	json_object_del(json, "id");
	if (key)
		part = json_object_get(json, key);
	if (part) {
		json_dumpf(part, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	json_decref(json);
	return part ? 0 : -ENOENT;
}

/* ---- tables ---- */

struct show_table {
	unsigned columns, right;
	size_t cells, room;
	char **cell;
};

static void out_of_memory(void)
{
	fputs("there is not enough memory\n", stderr);
	exit(1);
}

static void add_text(struct show_table *table, char *text)
{
	if (table->cells == table->room) {
		table->room = table->room ? 2 * table->room : 64;
		table->cell = reallocarray(table->cell, table->room, sizeof *table->cell);
		if (!table->cell)
			out_of_memory();
	}
	table->cell[table->cells++] = text;
}

struct show_table *show_table_new(unsigned columns, const char *const titles[], unsigned right)
{
	struct show_table *table = calloc(1, sizeof *table);

	if (!table)
		out_of_memory();
	table->columns = columns;
	table->right = right;
	for (unsigned i = 0; i < columns; i++)
		show_table_add(table, "%s", titles[i]);
	return table;
}

void show_table_add(struct show_table *table, const char *format, ...)
{
	va_list list;
	char *text;

	va_start(list, format);
	if (vasprintf(&text, format, list) < 0)
		out_of_memory();
	va_end(list);
	show_clean(text);
	add_text(table, text);
}

void show_table_end(struct show_table *table)
{
	for (size_t i = 0; i < table->cells; i++) {
		unsigned column = i % table->columns;
		bool last = column + 1 == table->columns;
		size_t width = 0;

		for (size_t row = column; row < table->cells; row += table->columns)
			width = strlen(table->cell[row]) > width ? strlen(table->cell[row]) : width;
		if (table->right & 1u << column)
			printf("%*s", (int)width, table->cell[i]);
		else
			printf("%-*s", last ? 0 : (int)width, table->cell[i]);
		fputs(last ? "\n" : "  ", stdout);
	}
	for (size_t i = 0; i < table->cells; i++)
		free(table->cell[i]);
	free(table->cell);
	free(table);
}

const char *show_call(const msgpack_object *map, char ret_text[static 40])
{
	int64_t number;

	*ret_text = 0;
	if (!msg_get_int(map, "call", &number) && number >= 0)
		snprintf(ret_text, 40, " (%s)", call_base((uint64_t)number)->name);
	return ret_text;
}

const char *show_bytes(uint64_t bytes, char ret_text[static 16])
{
	static const char units[] = "KMGTPE";
	double value = (double)bytes / 1024;
	unsigned unit = 0;

	while (value >= 999.5 && units[unit + 1]) {
		value /= 1024;
		unit++;
	}
	snprintf(ret_text, 16, value < 9.95 && unit > 0 ? "%.1f%c" : "%.0f%c", value, units[unit]);
	return ret_text;
}

const char *show_time(uint64_t ms, char ret_text[static 24])
{
	uint64_t s = ms / 1000;

	if (s < 3600)
		snprintf(ret_text, 24, "%" PRIu64 ":%02u", s / 60, (unsigned)(s % 60));
	else
		snprintf(ret_text, 24, "%" PRIu64 ":%02u:%02u", s / 3600, (unsigned)(s / 60 % 60), (unsigned)(s % 60));
	return ret_text;
}

void show_clean(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 127)
			*text = '?';
	}
}
