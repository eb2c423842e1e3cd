#include "cli/elf.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Program headers stand at the head of every file that a linker makes, and PT_INTERP's text right behind them. */
enum { HEAD_SIZE = 65536 };

struct reader {
	const unsigned char *bytes;
	size_t size;
	bool big;
};

/* An unsigned number of width bytes at offset; 0 beyond the end. */
static uint64_t number(const struct reader *reader, uint64_t offset, unsigned width)
{
	uint64_t value = 0;

	if (offset > reader->size || width > reader->size - offset)
		return 0;
	for (unsigned i = 0; i < width; i++)
		value = value << 8 | reader->bytes[offset + (reader->big ? i : width - 1 - i)];
	return value;
}

void elf_parse(const unsigned char *head, size_t size, struct elf *elf)
{
	struct reader reader = {.bytes = head, .size = size};
	uint64_t headers, entry, count;
	bool wide;

	memset(elf, 0, sizeof *elf);
	if (size < sizeof(Elf32_Ehdr) || memcmp(head, ELFMAG, SELFMAG) != 0)
		return;
	wide = head[EI_CLASS] == ELFCLASS64;
	if (wide && size < sizeof(Elf64_Ehdr))
		return;
	elf->is_elf = true;
	elf->width = wide ? 64 : 32;
	elf->order = head[EI_DATA];
	reader.big = head[EI_DATA] == ELFDATA2MSB;
	elf->machine =
	    (uint16_t)number(&reader, offsetof(Elf64_Ehdr, e_machine), 2); /* the same place in both widths */
	headers = wide ? number(&reader, offsetof(Elf64_Ehdr, e_phoff), 8)
		       : number(&reader, offsetof(Elf32_Ehdr, e_phoff), 4);
	entry = number(&reader, wide ? offsetof(Elf64_Ehdr, e_phentsize) : offsetof(Elf32_Ehdr, e_phentsize), 2);
	count = number(&reader, wide ? offsetof(Elf64_Ehdr, e_phnum) : offsetof(Elf32_Ehdr, e_phnum), 2);
	for (uint64_t i = 0; i < count; i++) {
		const uint64_t at = headers + i * entry;
		const uint64_t type = number(&reader, at, 4);
		uint64_t offset, length;

		if (type != PT_INTERP && type != PT_LOAD)
			continue;
		offset = wide ? number(&reader, at + offsetof(Elf64_Phdr, p_offset), 8)
			      : number(&reader, at + offsetof(Elf32_Phdr, p_offset), 4);
		length = wide ? number(&reader, at + offsetof(Elf64_Phdr, p_filesz), 8)
			      : number(&reader, at + offsetof(Elf32_Phdr, p_filesz), 4);
		if (type == PT_LOAD) {
			if (length <= UINT64_MAX - offset && offset + length > elf->loaded)
				elf->loaded = offset + length;
			continue;
		}
		elf->has_interpreter = true;
		if (length >= ELF_INTERPRETER_MAX)
			length = ELF_INTERPRETER_MAX - 1;
		if (offset <= size && length <= size - offset)
			memcpy(elf->interpreter, head + offset, length);
	}
}

int elf_read(const char *path, struct elf *elf)
{
	unsigned char head[HEAD_SIZE];
	size_t size = 0;
	ssize_t got;
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return -1;
	while (size < sizeof head && (got = read(fd, head + size, sizeof head - size)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			const int error = errno;

			close(fd);
			errno = error;
			return -1;
		}
		size += (size_t)got;
	}
	close(fd);
	elf_parse(head, size, elf);
	return 0;
}

static bool is_musl(const struct elf *elf)
{
	return strstr(elf->interpreter, "ld-musl") != NULL;
}

enum elf_reach elf_reach(const struct elf *program, const struct elf *own)
{
	if (!program->is_elf || !own->is_elf)
		return ELF_REACHED;
	if (!program->has_interpreter)
		return ELF_STATIC;
	if (program->machine != own->machine || program->width != own->width || program->order != own->order)
		return ELF_OTHER_ARCH;
	return is_musl(program) == is_musl(own) ? ELF_REACHED : ELF_OTHER_LIBC;
}

const char *elf_reach_text(enum elf_reach reach)
{
	switch (reach) {
	case ELF_STATIC:
		return "statically linked";
	case ELF_OTHER_ARCH:
		return "built for another architecture";
	case ELF_OTHER_LIBC:
		return "built for another C library";
	case ELF_REACHED:
		break;
	}
	return "dynamically linked";
}

const char *elf_machine_name(const struct elf *elf)
{
	static char unknown[32];

	switch (elf->machine) {
	case EM_X86_64:
		return elf->width == 64 ? "x86-64" : "x32";
	case EM_386:
		return "i386";
	case EM_AARCH64:
		return "AArch64";
	case EM_ARM:
		return "ARM";
	case EM_RISCV:
		return "RISC-V";
	case EM_PPC64:
		return "PowerPC64";
	case EM_S390:
		return "S/390";
	default:
		snprintf(unknown, sizeof unknown, "machine %u", elf->machine);
		return unknown;
	}
}
