#include "preload/target.h"

#include "task/environment.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { HEAD = 1024, SEGMENTS = 16, SCRIPTS = 4 };

/* The loader of this very process, from its program headers. "": static, which cannot be. */
static const char *own_loader(void)
{
	const ElfW(Phdr) *segment = (const void *)getauxval(AT_PHDR);
	const unsigned long count = getauxval(AT_PHNUM);
	ElfW(Addr) base = 0;
	bool based = false;

	for (unsigned long i = 0; segment && i < count; i++)
		if (segment[i].p_type == PT_PHDR)
			base = (ElfW(Addr))segment - segment[i].p_vaddr, based = true;
	for (unsigned long i = 0; based && i < count; i++)
		if (segment[i].p_type == PT_INTERP)
			return (const char *)(base + segment[i].p_vaddr);
	return "";
}

static bool read_at(int fd, void *bytes, size_t size, uint64_t offset)
{
	return syscall(SYS_pread64, fd, bytes, size, (long)offset) == (long)size;
}

static uint64_t file_offset(const ElfW(Phdr) * segments, unsigned count, ElfW(Addr) address)
{
	for (unsigned i = 0; i < count; i++)
		if (segments[i].p_type == PT_LOAD && address - segments[i].p_vaddr < segments[i].p_filesz)
			return segments[i].p_offset + (address - segments[i].p_vaddr);
	return 0;
}

/* AddressSanitizer ends a program in which another library was loaded before it. */
static bool needs_to_be_first(const char *library)
{
	return strncmp(library, "libasan.so", 10) == 0 || strncmp(library, "libtsan.so", 10) == 0 ||
	       strncmp(library, "liblsan.so", 10) == 0 || strncmp(library, "libhwasan.so", 12) == 0 ||
	       strncmp(library, "libclang_rt.", 12) == 0;
}

static bool needs_a_sanitizer(int fd, const ElfW(Phdr) * segments, unsigned count, const ElfW(Phdr) * dynamic)
{
	enum { ENTRIES = 48, NEEDED = 16 };
	ElfW(Dyn) entries[ENTRIES];
	ElfW(Xword) needed[NEEDED] = {0};
	unsigned found = 0;
	uint64_t strings = 0;
	const size_t number =
	    dynamic->p_filesz / sizeof *entries < ENTRIES ? dynamic->p_filesz / sizeof *entries : ENTRIES;

	if (!read_at(fd, entries, number * sizeof *entries, dynamic->p_offset))
		return true;
	for (size_t i = 0; i < number && entries[i].d_tag != DT_NULL; i++) {
		if (entries[i].d_tag == DT_NEEDED && found < NEEDED)
			needed[found++] = entries[i].d_un.d_val;
		if (entries[i].d_tag == DT_STRTAB)
			strings = file_offset(segments, count, entries[i].d_un.d_ptr);
	}
	for (unsigned i = 0; i < found; i++) {
		char name[16];

		if (!strings || !read_at(fd, name, sizeof name, strings + needed[i]))
			return true;
		if (needs_to_be_first(name))
			return true;
	}
	return false;
}

static bool elf_fits(int fd, const ElfW(Ehdr) * header)
{
	ElfW(Phdr) segments[SEGMENTS];
	const ElfW(Phdr) *dynamic = NULL;
	char loader[128] = "";
	const unsigned count = header->e_phnum < SEGMENTS ? header->e_phnum : SEGMENTS;

	if (header->e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) ||
	    header->e_phentsize != sizeof *segments ||
	    !read_at(fd, segments, count * sizeof *segments, header->e_phoff))
		return false;
	for (unsigned i = 0; i < count; i++) {
		if (segments[i].p_type == PT_DYNAMIC)
			dynamic = &segments[i];
		if (segments[i].p_type == PT_INTERP && segments[i].p_filesz < sizeof loader &&
		    !read_at(fd, loader, segments[i].p_filesz, segments[i].p_offset))
			return false;
	}
	/* The loader's name says libc and machine. */
	return loader[0] && strcmp(loader, own_loader()) == 0 && dynamic &&
	       !needs_a_sanitizer(fd, segments, count, dynamic);
}

static int open_program(int directory, const char *file)
{
	struct stat status;
	const int fd = (int)syscall(SYS_openat, directory, file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);

	if (fd < 0)
		return -1;
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 0111) &&
	    !(status.st_mode & (S_ISUID | S_ISGID)))
		return fd;
	syscall(SYS_close, fd);
	return -1;
}

/* The first on PATH that can be run, as execvp takes it. */
static int search_path(const char *file)
{
	const char *path = environment_get(environ, "PATH");
	char name[1024];

	if (!path)
		path = "/bin:/usr/bin";
	for (;; path++) {
		const size_t length = strcspn(path, ":");

		if (length + strlen(file) + 2 <= sizeof name) {
			memcpy(name, path, length);
			name[length] = '/';
			strcpy(name + length + (length > 0), file);
			const int fd = open_program(AT_FDCWD, name);
			if (fd >= 0)
				return fd;
		}
		path += length;
		if (!*path)
			return -1;
	}
}

/* "#!/usr/bin/env node": the interpreter. Moved to the front of head. */
static const char *interpreter(char *head)
{
	char *at = head + 2 + strspn(head + 2, " \t");

	at[strcspn(at, " \t\n")] = '\0';
	return *at ? at : NULL;
}

bool target_fits(int directory, const char *file, bool search)
{
	_Alignas(ElfW(Ehdr)) char head[HEAD];
	char script[256];

	if (!file)
		return false;
	for (int depth = 0; depth < SCRIPTS; depth++) {
		const int fd = search && !strchr(file, '/') ? search_path(file)
			       : *file                      ? open_program(directory, file)
							    : -1;
		bool fits = false;
		long length;

		if (fd < 0)
			return false;
		length = syscall(SYS_pread64, fd, head, sizeof head - 1, 0L);
		head[length > 0 ? length : 0] = '\0';
		if (length >= (long)sizeof(ElfW(Ehdr)) && memcmp(head, ELFMAG, SELFMAG) == 0)
			fits = elf_fits(fd, (const void *)head);
		syscall(SYS_close, fd);
		if (strncmp(head, "#!", 2) != 0)
			return fits;
		head[sizeof head - 1] = '\0';
		file = interpreter(head);
		if (!file || strlen(file) >= sizeof script)
			return false;
		strcpy(script, file);
		file = script;
		directory = AT_FDCWD;
		search = false;
	}
	return false;
}
