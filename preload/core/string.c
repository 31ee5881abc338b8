/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The four functions a compiler may call by itself, and two for names. */
#include "core.h"

/* To begin a "rep movs" costs more than a frame's 80 bytes word by word: it was 4 % of a forwarded call. */
#define SHORT 256

typedef uint64_t word __attribute__((may_alias, aligned(1)));

void *memcpy(void *dst, const void *src, size_t size)
{
	void *d = dst;

	if (size <= SHORT) {
		uint8_t *to = dst;
		const uint8_t *from = src;

		for (; size >= sizeof(word); size -= sizeof(word), to += sizeof(word), from += sizeof(word))
			*(word *)to = *(const word *)from;
		while (size-- > 0)
			*to++ = *from++;
		return dst;
	}
	__asm__ volatile("rep movsb" : "+D"(d), "+S"(src), "+c"(size) : : "memory");
	return dst;
}

void *memmove(void *dst, const void *src, size_t size)
{
	uint8_t *d = dst;
	const uint8_t *s = src;

	if (d <= s || d >= s + size)
		return memcpy(dst, src, size);
	while (size-- > 0)
		d[size] = s[size];
	return dst;
}

void *memset(void *dst, int byte, size_t size)
{
	void *d = dst;

	if (size <= SHORT) {
		uint8_t *to = dst;
		uint64_t bytes = (uint8_t)byte * 0x0101010101010101ull;

		for (; size >= sizeof(word); size -= sizeof(word), to += sizeof(word))
			*(word *)to = bytes;
		while (size-- > 0)
			*to++ = (uint8_t)byte;
		return dst;
	}
	__asm__ volatile("rep stosb" : "+D"(d), "+c"(size) : "a"(byte) : "memory");
	return dst;
}

int memcmp(const void *a, const void *b, size_t size)
{
	const uint8_t *x = a, *y = b;

	for (; size > 0; size--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t core_length(const char *string)
{
	size_t n = 0;

	while (string[n])
		n++;
	return n;
}

int core_starts(const char *string, const char *prefix)
{
	while (*prefix)
		if (*string++ != *prefix++)
			return 0;
	return 1;
}
