#include "preload/nx.h"

#include <string.h>

/* Shorter than "> a:b"; longer than any command line Nx would print as a header. The upper bound keeps the matcher away
 * from the output of the tasks, which is most of what the runner writes. */
enum { SHORTEST = 5, LONGEST = 4096 };

enum { ESC = 0x1b, BEL = 0x07 };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A place in the chunk as the user sees it: escape sequences are stepped over, never compared. */
struct cursor {
	const char *at;
	const char *end;
	bool sgr; /* stepped over a colour */
};

static bool in_range(char byte, unsigned char low, unsigned char high)
{
	unsigned char value = (unsigned char)byte;

	return value >= low && value <= high;
}

/* The end of the control sequence that begins at p (after its ESC [), or NULL when it is not complete. */
static const char *csi_end(const char *p, const char *end)
{
	while (p < end && (in_range(*p, '0', '9') || *p == ';' || *p == '?'))
		p++;
	while (p < end && in_range(*p, ' ', '/'))
		p++;
	return p < end && in_range(*p, '@', '~') ? p + 1 : NULL;
}

/* The same for an operating system command (after its ESC ]): it ends with BEL or ESC \. A newline is never part of
 * one, or a title that was not closed would hide it from the checks below. */
static const char *osc_end(const char *p, const char *end)
{
	for (; p < end; p++) {
		if (*p == BEL)
			return p + 1;
		if (*p == ESC)
			return end - p > 1 && p[1] == '\\' ? p + 2 : NULL;
		if (*p == '\n' || *p == '\r')
			return NULL;
	}
	return NULL;
}

/* Step over escape sequences. A broken one stays where it is: its ESC then equals no byte of a result line, and that is
 * right, as the terminal would swallow what is appended to it. */
static void skip_escapes(struct cursor *cursor)
{
	while (cursor->end - cursor->at > 2 && *cursor->at == ESC) {
		const char *after = NULL;

		if (cursor->at[1] == '[')
			after = csi_end(cursor->at + 2, cursor->end);
		else if (cursor->at[1] == ']')
			after = osc_end(cursor->at + 2, cursor->end);
		if (!after)
			return;
		if (cursor->at[1] == '[' && after[-1] == 'm')
			cursor->sgr = true;
		cursor->at = after;
	}
}

/* Take text if it comes next; otherwise the cursor stays. */
static bool take(struct cursor *cursor, const char *text)
{
	struct cursor probe = *cursor;

	for (; *text; text++) {
		skip_escapes(&probe);
		if (probe.at == probe.end || *probe.at != *text)
			return false;
		probe.at++;
	}
	*cursor = probe;
	return true;
}

static bool take_one_of(struct cursor *cursor, const char *const texts[], size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (take(cursor, texts[i]))
			return true;
	return false;
}

static bool at_end(struct cursor *cursor)
{
	skip_escapes(cursor);
	return cursor->at == cursor->end;
}

/* Lerna, which runs Nx inside, has taken "nx run " out of all its lines (output.formatCommand). */
static enum nx_form take_verb(struct cursor *cursor, enum nx_form form, bool *bare)
{
	*bare = !take(cursor, "nx run ");
	return form;
}

/* The start of a result line up to "nx run ", in any form. */
static enum nx_form take_start(struct cursor *cursor, bool *bare)
{
	/* The square of "stopped" comes with a variation selector; do not depend on it. */
	static const char *const groups[] = {
	    "\xe2\x9c\x85 ", "\xe2\x9d\x8c ", "\xe2\x8f\xa9 ", "\xf0\x9f\x94\x81 ", "\xe2\x8f\xb9\xef\xb8\x8f ",
	    "\xe2\x8f\xb9 ",
	};
	static const char *const icons[] = {"\xe2\x9c\x94", "\xe2\x9c\x96", "\xe2\x97\xbc"};

	if (take(cursor, "::group::")) /* only a header opens a group */
		return take_one_of(cursor, groups, COUNT(groups)) && take(cursor, "> ")
			   ? take_verb(cursor, NX_STATIC, bare)
			   : NX_NONE;
	if (take(cursor, "> "))
		return take_verb(cursor, NX_STATIC, bare);
	if (take(cursor, "\xe2\x9c\x96 nx run "))
		return NX_SUMMARY;

	const bool indented = take(cursor, "   ");
	if (take_one_of(cursor, icons, COUNT(icons)) && take(cursor, "  "))
		return take_verb(cursor, indented ? NX_DYNAMIC : NX_COLLAPSED, bare);
	return NX_NONE;
}

/* Some forms have their newlines in the chunk. Takes them off the cursor's end and settles the form. */
static enum nx_form take_end(struct cursor *cursor, enum nx_form form)
{
	const size_t left = (size_t)(cursor->end - cursor->at);
	const bool newline = left > 0 && cursor->end[-1] == '\n';

	switch (form) {
	case NX_STATIC:
		if (left < 2 || !newline || cursor->end[-2] != '\n')
			return newline ? NX_NONE : form;
		cursor->end -= 2;
		return NX_HEADER;
	case NX_DYNAMIC:
		cursor->end -= newline;
		return newline ? NX_CHECKLIST : form;
	default:
		cursor->end -= newline;
		return newline ? form : NX_NONE;
	}
}

/* Does the rest of the line, from here to its end, say that the result came from a cache? */
static bool is_cache_note(struct cursor cursor)
{
	static const char *const notes[] = {
	    "  [local cache]",
	    "  [remote cache]",
	    "  [existing outputs match the cache, left as is]",
	};

	return take_one_of(&cursor, notes, COUNT(notes)) && at_end(&cursor);
}

/* The rest of the line: PROJECT:TARGET and whatever follows. Nothing can be said about the bytes of a name or of an
 * argument, so this only asks for the first colon to stand between two names. */
static bool take_rest(struct cursor *cursor, struct nx_line *line)
{
	const char *name = cursor->at;
	bool colon = false;
	bool named = false;

	while (!at_end(cursor)) {
		char byte = *cursor->at;

		/* After a carriage return the suffix would overwrite the line. */
		if (byte == '\n' || byte == '\r' || byte == ESC)
			return false;
		if (byte == ' ' && ((colon && !named) || (!colon && line->bare)))
			return false;
		named = colon;
		if (byte == ':' && cursor->at == name)
			return false;
		colon = colon || byte == ':';
		if (byte == ' ' && is_cache_note(*cursor)) {
			line->cached = true;
			/* The note was checked to the end: what is left is its text and colours. */
			while (!at_end(cursor))
				cursor->at++;
			break;
		}
		cursor->at++;
	}
	return named;
}

bool nx_parse(const char *chunk, size_t length, struct nx_line *line)
{
	struct cursor cursor;
	struct nx_line found = {0};

	/* Almost everything ends here: this runs for each write of the runner. */
	if (length < SHORTEST || length > LONGEST)
		return false;
	if (chunk[0] != '>' && chunk[0] != ESC && chunk[0] != ':' && chunk[0] != '\xe2' && chunk[0] != ' ')
		return false;

	cursor = (struct cursor){.at = chunk, .end = chunk + length};
	found.form = take_start(&cursor, &found.bare);
	if (found.form == NX_NONE)
		return false;
	found.form = take_end(&cursor, found.form);
	if (found.form == NX_NONE)
		return false;
	found.insert_at = (size_t)(cursor.end - chunk);
	skip_escapes(&cursor);
	found.id_at = (size_t)(cursor.at - chunk);
	if (!take_rest(&cursor, &found))
		return false;
	/* Rust prints it plain; in colours it is a nested Nx's, whose line and newline came in one read. */
	if (found.form == NX_HEADER && (cursor.sgr || found.cached || found.bare))
		return false;
	found.coloured = cursor.sgr;
	*line = found;
	return true;
}

/* Take ":NAME" of a target, in quotes or not. */
static bool take_target(struct cursor *cursor, const char *target, bool quoted)
{
	if (!quoted)
		return take(cursor, ":") && take(cursor, target);
	return take(cursor, ":\"") && take(cursor, target) && take(cursor, "\"");
}

static bool is_task(struct cursor cursor, const char *project, const char *target, const char *configuration,
		    bool quoted)
{
	if (!take(&cursor, project) || !take_target(&cursor, target, quoted))
		return false;
	if (configuration && *configuration && !(take(&cursor, ":") && take(&cursor, configuration)))
		return false;
	/* The name must end here: "a:build" is a prefix of "a:build:production" and of "a:build-all". */
	return at_end(&cursor) || *cursor.at == ' ' || *cursor.at == '\n';
}

bool nx_line_is(const char *chunk, size_t length, const struct nx_line *line, const char *project, const char *target,
		const char *configuration)
{
	struct cursor cursor;

	if (line->form == NX_NONE || line->id_at > length || !project || !*project || !target || !*target)
		return false;
	cursor = (struct cursor){.at = chunk + line->id_at, .end = chunk + length};
	if (is_task(cursor, project, target, configuration, false))
		return true;
	return strchr(target, ':') && is_task(cursor, project, target, configuration, true);
}

/* The colours of a run that is over: green, or red. While tasks run the rule is cyan, above a task of its own grey. */
static bool has_colour_of_end(const char *chunk, size_t length)
{
	for (size_t at = 0; at + 5 <= length; at++)
		if (memcmp(chunk + at, "\x1b[32m", 5) == 0 || memcmp(chunk + at, "\x1b[31m", 5) == 0)
			return true;
	return false;
}

/* "————…": at least ten em dashes and nothing else. */
static bool is_rule(struct cursor cursor)
{
	size_t dashes = 0;

	while (take(&cursor, "\xe2\x80\x94"))
		dashes++;
	(void)take(&cursor, "\n");
	return dashes >= 10 && at_end(&cursor);
}

/* " failed", and perhaps a duration in parentheses, at the end of the title. A name may hold the word as well. */
static bool ends_failed(struct cursor cursor)
{
	bool failed = false;

	while (!at_end(&cursor)) {
		if (take(&cursor, " failed")) {
			failed = true;
		} else if (failed && take(&cursor, " (")) {
			while (!at_end(&cursor) && *cursor.at != ')')
				cursor.at++;
			failed = take(&cursor, ")");
		} else {
			failed = failed && *cursor.at == '\n';
			cursor.at++;
		}
	}
	return failed;
}

static enum nx_place title_of(struct cursor cursor)
{
	static const char *const ends[] = {"Successfully ran ", "Ran target", "Cancelled "};

	if (!take(&cursor, " NX ") && !take(&cursor, " Lerna (powered by Nx) "))
		return NX_TEXT;
	while (take(&cursor, " "))
		;
	if (take_one_of(&cursor, ends, COUNT(ends)))
		return NX_TITLE;
	if (take(&cursor, "Running target"))
		return ends_failed(cursor) ? NX_TITLE : NX_TEXT;
	skip_escapes(&cursor);
	if (cursor.at == cursor.end || !in_range(*cursor.at, '1', '9'))
		return NX_TEXT;
	while (!at_end(&cursor) && in_range(*cursor.at, '0', '9'))
		cursor.at++;
	return take(&cursor, " task") ? NX_COUNTS : NX_TEXT;
}

enum nx_place nx_place_of(const char *chunk, size_t length)
{
	struct cursor cursor = {.at = chunk, .end = chunk + length};

	if (length > LONGEST)
		return NX_TEXT;
	if (at_end(&cursor))
		return NX_NOTHING;
	if (*cursor.at == '\n' || *cursor.at == '\r') {
		(void)take(&cursor, "\r");
		return take(&cursor, "\n") && at_end(&cursor) ? NX_BLANK : NX_TEXT;
	}
	if (*cursor.at == ' ')
		return title_of(cursor);
	return is_rule(cursor) && has_colour_of_end(chunk, length) ? NX_RULE : NX_TEXT;
}

bool nx_is_text(const char *chunk)
{
	switch (chunk[0]) {
	case '\n':
	case '\r':
	case ESC:
	case '\xe2': /* an icon, a rule */
		return false;
	case '>':
		return chunk[1] != ' ' && chunk[1] != ESC;
	case ':':
		return chunk[1] != ':' && chunk[1] != ESC;
	case ' ': /* " NX ", " Lerna ", or three before an icon */
		if (chunk[1] == ' ')
			return chunk[2] != ' ' && chunk[2] != ESC;
		return chunk[1] != 'N' && chunk[1] != 'L' && chunk[1] != ESC;
	default:
		return true;
	}
}

size_t nx_prefix(const char *chunk, size_t length, const char *project)
{
	struct cursor cursor = {.at = chunk, .end = chunk + length};

	if (!take(&cursor, project) || !take(&cursor, ":") || !take(&cursor, " "))
		return 0;
	return (size_t)(cursor.at - chunk);
}
