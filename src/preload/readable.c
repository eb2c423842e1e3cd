#include "preload/readable.h"

#include "preload/runtime.h"

#include <stdint.h>
#include <string.h>

enum { PAGE = 4096 }; /* or larger: then a page is asked for more than once */

/* The pages that were found readable last. Lists and strings alternate, hence more than one. */
struct known {
	uintptr_t page[4];
	unsigned next;
};

static bool is_readable(struct known *known, const char *at)
{
	const uintptr_t page = (uintptr_t)at / PAGE;

	for (unsigned i = 0; i < sizeof known->page / sizeof *known->page; i++)
		if (known->page[i] == page)
			return page != 0;
	/* Eight bytes within the page: the question is about the page alone. */
	if (!page || !runtime_readable((const char *)(page * PAGE), 8))
		return false;
	known->page[known->next++ % (sizeof known->page / sizeof *known->page)] = page;
	return true;
}

static bool is_string(struct known *known, const char *text)
{
	for (;;) {
		const size_t here = PAGE - ((uintptr_t)text & (PAGE - 1));

		if (!is_readable(known, text))
			return false;
		if (memchr(text, '\0', here))
			return true;
		text += here;
	}
}

bool readable_string(const char *text)
{
	struct known known = {.next = 0};

	return is_string(&known, text);
}

bool readable_strings(char *const *list)
{
	struct known known = {.next = 0};

	for (; list; list++) {
		const char *entry = (const char *)list;

		/* A list need not be aligned for its entries to be read: both of its ends are looked at. */
		if (!is_readable(&known, entry) || !is_readable(&known, entry + sizeof *list - 1))
			return false;
		if (!*list)
			break;
		if (!is_string(&known, *list))
			return false;
	}
	return true;
}
