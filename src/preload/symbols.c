#include "preload/symbols.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>

#if defined(__aarch64__)
#define JUMP_SLOT R_AARCH64_JUMP_SLOT
#elif defined(__x86_64__)
#define JUMP_SLOT R_X86_64_JUMP_SLOT
#endif
#define SYMBOL_OF(info) (sizeof(void *) == 8 ? (info) >> 32 : (info) >> 8)
#define TYPE_OF(info) (sizeof(void *) == 8 ? (info)&0xffffffff : (info)&0xff)

extern ElfW(Dyn) _DYNAMIC[] __attribute__((visibility("hidden")));

/* What an object's dynamic section says. */
struct object {
	ElfW(Addr) base;
	const ElfW(Sym) * symbols;
	const char *strings;
	const uint32_t *hash; /* DT_GNU_HASH */
	const ElfW(Half) * versions;
	const ElfW(Verdef) * defined;
	const ElfW(Verneed) * needed;
	const void *slots; /* DT_JMPREL */
	size_t slots_size;
};

static void describe(const struct link_map *map, struct object *object)
{
	memset(object, 0, sizeof *object);
	object->base = map->l_addr;
	for (const ElfW(Dyn) *entry = map->l_ld; entry && entry->d_tag != DT_NULL; entry++) {
		/* glibc has put addresses in place of offsets; not in the kernel's vDSO. */
		const ElfW(Addr) address =
		    entry->d_un.d_ptr < map->l_addr ? entry->d_un.d_ptr + map->l_addr : entry->d_un.d_ptr;

		switch (entry->d_tag) {
		case DT_SYMTAB:
			object->symbols = (const void *)address;
			break;
		case DT_STRTAB:
			object->strings = (const void *)address;
			break;
		case DT_GNU_HASH:
			object->hash = (const void *)address;
			break;
		case DT_VERSYM:
			object->versions = (const void *)address;
			break;
		case DT_VERDEF:
			object->defined = (const void *)address;
			break;
		case DT_VERNEED:
			object->needed = (const void *)address;
			break;
		case DT_JMPREL:
			object->slots = (const void *)address;
			break;
		case DT_PLTRELSZ:
			object->slots_size = entry->d_un.d_val;
			break;
		default:
			break;
		}
	}
}

static uint32_t hash_of(const char *name)
{
	uint32_t hash = 5381;

	for (; *name; name++)
		hash = hash * 33 + (unsigned char)*name;
	return hash;
}

/* Own loops: what libc has is behind slots that are not bound yet. */
static bool equal(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

/* The names of the versions that an object defines, by their numbers. */
enum { VERSIONS_MAX = 96, VERSION_HIDDEN = 0x8000, VERSION_NUMBER = 0x7fff };

static void name_versions(const struct object *object, const char *names[VERSIONS_MAX])
{
	const ElfW(Verdef) *definition = object->defined;

	memset(names, 0, VERSIONS_MAX * sizeof *names);
	while (definition) {
		const ElfW(Verdaux) *name = (const void *)((const char *)definition + definition->vd_aux);
		const unsigned number = definition->vd_ndx & VERSION_NUMBER;

		if (number < VERSIONS_MAX)
			names[number] = object->strings + name->vda_name;
		definition =
		    definition->vd_next ? (const void *)((const char *)definition + definition->vd_next) : NULL;
	}
}

/* Is the definition with this index the wanted version? NULL: the default. */
static bool is_version(const struct object *object, size_t index, const char *version, const char *const *names)
{
	const unsigned number = object->versions ? object->versions[index] : 1;

	if (!version || !object->defined)
		return !(number & VERSION_HIDDEN);
	return (number & VERSION_NUMBER) < VERSIONS_MAX && names[number & VERSION_NUMBER] &&
	       equal(names[number & VERSION_NUMBER], version);
}

static const ElfW(Sym) *
    find(const struct object *object, const char *name, uint32_t hash, const char *version, const char *const *names)
{
	const uint32_t buckets = object->hash[0], first = object->hash[1], words = object->hash[2];
	const uint32_t shift = object->hash[3];
	const ElfW(Addr) *bloom = (const void *)(object->hash + 4);
	const uint32_t *bucket = (const void *)(bloom + words);
	const uint32_t *chain = bucket + buckets;
	const unsigned bits = sizeof(ElfW(Addr)) * 8;
	/* words is a power of two. */
	const ElfW(Addr) word = bloom[hash / bits & (words - 1)];
	uint32_t index;

	if (!(word >> hash % bits & word >> (hash >> shift) % bits & 1))
		return NULL;
	index = bucket[hash % buckets];
	if (index < first)
		return NULL;
	for (;; index++) {
		const uint32_t here = chain[index - first];
		const ElfW(Sym) *symbol = &object->symbols[index];

		if ((here | 1) == (hash | 1) && symbol->st_shndx != SHN_UNDEF && symbol->st_value &&
		    equal(object->strings + symbol->st_name, name) && is_version(object, index, version, names))
			return symbol;
		if (here & 1)
			return NULL;
	}
}

/* A function whose address is what another one returns: strlen, by the processor. On x86 that one takes no arguments;
 * on others dlsym has to be asked. */
static void *resolve_indirect(void *resolver)
{
#if defined(__x86_64__)
	void *(*function)(void);

	memcpy(&function, &resolver, sizeof function);
	return function();
#else
	(void)resolver;
	return NULL;
#endif
}

/* The last object that was there when the program started. What comes after it may go at any time. */
static const struct link_map *last;

/* All of them in map and the objects after it; each object is looked into once. */
static void find_all(const struct link_map *map, struct symbol *symbols, size_t count)
{
	size_t left = count;

	for (size_t i = 0; i < count; i++)
		symbols[i].hash = hash_of(symbols[i].name);
	for (; map && left; map = map == last ? NULL : map->l_next) {
		const char *names[VERSIONS_MAX];
		struct object object;

		if (map->l_ld == _DYNAMIC)
			continue;
		describe(map, &object);
		if (!object.hash || !object.symbols || !object.strings)
			continue;
		name_versions(&object, names);
		for (size_t i = 0; i < count; i++) {
			const ElfW(Sym) * found;

			if (symbols[i].address || symbols[i].indirect ||
			    !(found = find(&object, symbols[i].name, symbols[i].hash, symbols[i].version, names)))
				continue;
			symbols[i].indirect = (found->st_info & 15) == STT_GNU_IFUNC;
			symbols[i].address = (void *)(object.base + found->st_value);
			if (symbols[i].indirect)
				symbols[i].address = resolve_indirect(symbols[i].address);
			left--;
		}
	}
}

/* The loader tells debuggers where its list is: in the main program. NULL: it does not. */
static const struct link_map *all_objects(void)
{
	const ElfW(Phdr) *segment = (const void *)getauxval(AT_PHDR);
	const unsigned long count = getauxval(AT_PHNUM);
	const ElfW(Dyn) *entry = NULL;
	ElfW(Addr) base = 0;
	bool based = false;

	for (unsigned long i = 0; segment && i < count; i++)
		if (segment[i].p_type == PT_PHDR) {
			base = (ElfW(Addr))segment - segment[i].p_vaddr;
			based = true;
		}
	for (unsigned long i = 0; based && i < count; i++)
		if (segment[i].p_type == PT_DYNAMIC)
			entry = (const void *)(base + segment[i].p_vaddr);
	for (; entry && entry->d_tag != DT_NULL; entry++)
		if (entry->d_tag == DT_DEBUG && entry->d_un.d_ptr)
			return ((const struct r_debug *)entry->d_un.d_ptr)->r_map;
	return NULL;
}

static const struct link_map *ourselves(const struct link_map *map)
{
	while (map && map->l_ld != _DYNAMIC)
		map = map->l_next;
	return map;
}

bool symbols_find(struct symbol *symbols, size_t count)
{
	const struct link_map *own = ourselves(all_objects());

	for (last = own; last && last->l_next;)
		last = last->l_next;
	if (own)
		find_all(own->l_next, symbols, count);
	return own != NULL;
}

const char *symbols_own_path(void)
{
	const struct link_map *own = ourselves(all_objects());

	return own ? own->l_name : NULL;
}

/* musl binds everything when it loads. */
#if defined(JUMP_SLOT) && defined(__GLIBC__)
/* The name of the version that the import with this number asks for; NULL: none. */
static const char *wanted_version(const struct object *own, unsigned number)
{
	for (const ElfW(Verneed) *library = own->needed; library;
	     library = library->vn_next ? (const void *)((const char *)library + library->vn_next) : NULL)
		for (const ElfW(Vernaux) *version = (const void *)((const char *)library + library->vn_aux);;
		     version = (const void *)((const char *)version + version->vna_next)) {
			if ((version->vna_other & 0x7fff) == number)
				return own->strings + version->vna_name;
			if (!version->vna_next)
				break;
		}
	return NULL;
}

void symbols_bind_own(void)
{
	enum { AT_ONCE = 128 };
	const struct link_map *head = all_objects();
	const struct link_map *map = ourselves(head);
	struct symbol symbols[AT_ONCE];
	const ElfW(Rela) * slots;
	struct object own;
	size_t count;

	if (!map || !last)
		return;
	describe(map, &own);
	if (!own.slots || !own.symbols || !own.strings)
		return;
	slots = own.slots;
	count = own.slots_size / sizeof *slots < AT_ONCE ? own.slots_size / sizeof *slots : AT_ONCE;
	for (size_t i = 0; i < count; i++) {
		const size_t index = SYMBOL_OF(slots[i].r_info);

		symbols[i] = (struct symbol){.name = own.strings + own.symbols[index].st_name};
		if (own.versions)
			symbols[i].version = wanted_version(&own, own.versions[index] & 0x7fff);
	}
	find_all(head, symbols, count);
	for (size_t i = 0; i < count; i++) {
		void **slot = (void **)(own.base + slots[i].r_offset);
		void *address = symbols[i].address;

		if (symbols[i].indirect && !address)
			address = symbols[i].version ? dlvsym(RTLD_DEFAULT, symbols[i].name, symbols[i].version)
						     : dlsym(RTLD_DEFAULT, symbols[i].name);
		if (address && TYPE_OF(slots[i].r_info) == JUMP_SLOT)
			*slot = address;
	}
}
#else
void symbols_bind_own(void)
{
}
#endif
