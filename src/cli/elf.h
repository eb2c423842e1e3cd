/* What the loader would make of a program: read from its ELF header, without running it. */
#ifndef HEAPLOG_CLI_ELF_H
#define HEAPLOG_CLI_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ELF_INTERPRETER_MAX = 256 };

struct elf {
	bool is_elf;                           /* false: a script, or a format that is not ours to read */
	unsigned char width;                   /* 32 or 64 */
	unsigned char order;                   /* ELFDATA2LSB or ELFDATA2MSB */
	uint16_t machine;                      /* EM_X86_64 and so on */
	bool has_interpreter;                  /* false: statically linked (static-pie too), no preload reaches it */
	char interpreter[ELF_INTERPRETER_MAX]; /* PT_INTERP: "/lib64/ld-linux-x86-64.so.2" */
	uint64_t loaded; /* the end of what the loader maps of the file: a shorter one is truncated */
};

/* Read the headers of the file at path. Returns 0 and fills *elf (is_elf false for anything else than ELF), or -1 with
 * errno when the file cannot be opened or read. Both byte orders and both widths. */
int elf_read(const char *path, struct elf *elf);

/* The same for a header that is in memory, of size bytes (the head of the file): what lies beyond is not looked at.
 * Pure. */
void elf_parse(const unsigned char *head, size_t size, struct elf *elf);

enum elf_reach {
	ELF_REACHED,    /* an LD_PRELOAD of this build takes effect */
	ELF_STATIC,     /* no loader at all */
	ELF_OTHER_ARCH, /* another machine or width: the loader refuses our library */
	ELF_OTHER_LIBC, /* musl's loader with glibc's library, or the reverse */
};

/* Would the loader of program load a library like the one that own describes (own: a dynamic program of this build)?
 * Not ELF counts as reached. Pure. */
enum elf_reach elf_reach(const struct elf *program, const struct elf *own);

/* "statically linked" and so on: the reason in words, for messages. */
const char *elf_reach_text(enum elf_reach reach);

/* "x86-64", "AArch64", "i386", ...; "machine N" where unknown. Static storage. */
const char *elf_machine_name(const struct elf *elf);

#endif
