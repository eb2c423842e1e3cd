/* The memory that programs on this machine can have. */
#include "cli/report.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The number at the head of a file, or UINT64_MAX: none ("max"), or no such file. */
static uint64_t read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	char text[32] = "";
	uint64_t value = UINT64_MAX;

	if (!file)
		return UINT64_MAX;
	if (fgets(text, sizeof text, file) && text[0] >= '0' && text[0] <= '9')
		value = strtoull(text, NULL, 10);
	fclose(file);
	return value;
}

/* The smallest memory.max from our cgroup up to the root: a limit holds for all below it. */
static uint64_t cgroup_limit(void)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[4096], path[4200];
	uint64_t least = UINT64_MAX;

	while (file && fgets(line, sizeof line, file)) {
		char *group = strrchr(line, ':');

		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "0::", 3) != 0 || !group)
			continue; /* version 2 alone: a container's own version 1 limit stands at the fixed place below
				   */
		group++;
		for (;;) {
			snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.max",
				 strcmp(group, "/") == 0 ? "" : group);
			const uint64_t value = read_number(path);
			char *slash = strrchr(group, '/');

			least = value < least ? value : least;
			if (!slash || group[0] == '\0')
				break;
			*slash = '\0';
		}
	}
	if (file)
		fclose(file);
	const uint64_t first_version = read_number("/sys/fs/cgroup/memory/memory.limit_in_bytes");
	return first_version < least ? first_version : least;
}

uint64_t report_machine_memory(void)
{
	const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
	const uint64_t memory = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
	const uint64_t limit = cgroup_limit();

	return limit < memory ? limit : memory;
}
