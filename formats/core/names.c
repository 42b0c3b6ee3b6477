/* A set of names: open addressing with linear probing, at most half full. The hash is seeded with the
 * random bytes the kernel gives each process, so that no file can be made whose names all collide;
 * nothing is ever listed in the table's order, so output does not depend on it. */
#include "formats/core/names.h"

#include "formats/core/bytes.h"
#include "formats/core/memory.h"

#include <string.h>
#include <sys/auxv.h>
#include <xxhash.h>

struct slot {
	const char *name; /* NULL: free */
	size_t size;
	uint64_t hash;
	uint32_t index;
};

struct phi_names {
	struct slot *slots;
	size_t capacity; /* a power of two */
	size_t count;
	uint64_t seed;
};

struct phi_names *
phi_names_new(struct phi_err *err)
{
	struct phi_names *const names = phi_calloc(1, sizeof *names, err);
	if (!names)
		return NULL;
	const uint8_t *const random = (const uint8_t *)getauxval(AT_RANDOM); /* 16 bytes */
	names->seed = random ? phi_load64(random) : 0;
	names->capacity = 64;
	names->slots = phi_calloc(names->capacity, sizeof *names->slots, err);
	if (!names->slots) {
		phi_free(names);
		return NULL;
	}
	return names;
}

void
phi_names_free(struct phi_names *names)
{
	if (!names)
		return;
	phi_free(names->slots);
	phi_free(names);
}

/* The slot that holds the name, or the free one where it belongs. */
static struct slot *
find_slot(const struct phi_names *names, const char *name, size_t size, uint64_t hash)
{
	for (size_t i = hash & (names->capacity - 1);; i = (i + 1) & (names->capacity - 1)) {
		struct slot *const s = &names->slots[i];
		if (!s->name)
			return s;
		if (s->hash == hash && s->size == size && !memcmp(s->name, name, size))
			return s;
	}
}

static int
double_slots(struct phi_names *names, struct phi_err *err)
{
	const struct phi_names old = *names;
	struct slot *const slots = phi_calloc(2 * old.capacity, sizeof *slots, err);
	if (!slots)
		return -1;
	names->slots = slots;
	names->capacity = 2 * old.capacity;
	for (size_t i = 0; i < old.capacity; i++) {
		const struct slot *const s = &old.slots[i];
		if (s->name)
			*find_slot(names, s->name, s->size, s->hash) = *s;
	}
	phi_free(old.slots);
	return 0;
}

int
phi_names_add(struct phi_names *names, const char *name, size_t size, uint32_t index,
	struct phi_err *err)
{
	const uint64_t hash = XXH3_64bits_withSeed(name, size, names->seed);
	struct slot *s = find_slot(names, name, size, hash);
	if (s->name)
		return 1;
	if (2 * (names->count + 1) > names->capacity) {
		if (double_slots(names, err))
			return -1;
		s = find_slot(names, name, size, hash);
	}
	*s = (struct slot){ .name = name, .size = size, .hash = hash, .index = index };
	names->count++;
	return 0;
}

uint32_t
phi_names_find(const struct phi_names *names, const char *name, size_t size)
{
	const uint64_t hash = XXH3_64bits_withSeed(name, size, names->seed);
	const struct slot *const s = find_slot(names, name, size, hash);
	return s->name ? s->index : PHI_NONE;
}
