#include "cli/line.h"

#include "cli/json.h"

#include <stddef.h>
#include <string.h>

enum kind { KIND_STRING, KIND_NUMBER, KIND_BOOL, KIND_VERSION, KIND_EXIT, KIND_LIST };

/* In the order in which records have them: the next key is nearly always the next row. */
static const struct field {
	const char *key;
	size_t length;
	enum kind kind;
	size_t offset;
	const char *wrong;
} fields[] = {
#define FIELD(key, kind, member, wrong)                                                            \
	{                                                                                          \
		key, sizeof(key) - 1, kind, offsetof(struct line, member), "\"" key "\" is " wrong \
	}
#define STRING(key) FIELD(#key, KIND_STRING, key, "not a string")
#define NUMBER(key, member) FIELD(#key, KIND_NUMBER, member, "not an integer from 0 to 2^64-1")
    FIELD("v", KIND_VERSION, run, "not 1: a version that this heaplog does not know"),
    STRING(run),
    STRING(task),
    STRING(project),
    STRING(target),
    STRING(configuration),
    STRING(hash),
    STRING(runner),
    NUMBER(pid, pid),
    STRING(start),
    NUMBER(duration_ms, duration_ms),
    FIELD("exit", KIND_EXIT, exit_code, "neither {\"code\":N} nor {\"signal\":\"SIG…\"}"),
    FIELD("oom", KIND_BOOL, oom, "neither true nor false"),
    STRING(metric),
    NUMBER(peak_bytes, peak),
    NUMBER(peak_upper_bytes, peak_upper),
    FIELD("exact", KIND_BOOL, exact, "neither true nor false"),
    NUMBER(peak_at_ms, peak_at_ms),
    NUMBER(samples, samples),
    NUMBER(interval_ms, interval_ms),
    NUMBER(processes_max, processes_max),
    FIELD("top", KIND_LIST, top, "not a list"),
    FIELD("series", KIND_LIST, series, "not a list"),
#undef FIELD
#undef STRING
#undef NUMBER
};
enum { FIELDS = sizeof fields / sizeof *fields };

static const char *parse_bool(const char *at, bool *value)
{
	*value = *at == 't';
	if (strncmp(at, "true", 4) == 0)
		return at + 4;
	return strncmp(at, "false", 5) == 0 ? at + 5 : NULL;
}

/* {"code":N} or {"signal":"…"}; other members are passed over. */
static char *parse_exit(char *at, struct line *line)
{
	const char *key;
	size_t length;

	if (*at != '{')
		return NULL;
	do {
		char *value;

		at += json_scan_space(at + 1) - at;
		value = json_scan_string(at, &key, &length);
		if (!value)
			return NULL;
		value += json_scan_space(value) - value;
		if (*value != ':')
			return NULL;
		value += json_scan_space(value + 1) - value;
		if (strcmp(key, "code") == 0)
			at = (char *)(uintptr_t)json_scan_uint64(value, &line->exit_code);
		else if (strcmp(key, "signal") == 0)
			at = json_scan_string(value, &line->signal, &length);
		else
			at = (char *)(uintptr_t)json_scan_value(value);
		if (!at)
			return NULL;
		at += json_scan_space(at) - at;
	} while (*at == ',');
	return *at == '}' ? at + 1 : NULL;
}

/* The value of field at at. Returns the place behind it, or NULL. */
static char *parse_value(char *at, const struct field *field, struct line *line)
{
	char *member = (char *)line + field->offset;
	size_t length;
	uint64_t version;
	const char *end = NULL;

	switch (field->kind) {
	case KIND_STRING:
		return json_scan_string(at, (const char **)(void *)member, &length);
	case KIND_NUMBER:
		end = json_scan_uint64(at, (uint64_t *)(void *)member);
		break;
	case KIND_BOOL:
		end = parse_bool(at, (bool *)(void *)member);
		break;
	case KIND_VERSION:
		end = json_scan_uint64(at, &version);
		if (end && version != 1)
			end = NULL;
		break;
	case KIND_EXIT:
		return parse_exit(at, line);
	case KIND_LIST:
		end = *at == '[' ? json_scan_value(at) : NULL;
		if (end)
			*(struct line_list *)(void *)member = (struct line_list){at, (size_t)(end - at)};
		break;
	}
	return end ? at + (end - at) : NULL;
}

/* The field called key, trying first the one that is expected. */
static const struct field *find(const char *key, size_t length, size_t expected)
{
	for (size_t i = 0; i < FIELDS; i++) {
		const struct field *field = &fields[(expected + i) % FIELDS];

		if (field->length == length && memcmp(field->key, key, length) == 0)
			return field;
	}
	return NULL;
}

static const char not_json[] = "not JSON (cut off, or two lines in one)";

static const char *parse_members(char *at, struct line *line, uint32_t *seen)
{
	size_t expected = 0;

	for (;;) {
		const struct field *field;
		const char *key;
		size_t length;

		at = json_scan_string(at, &key, &length);
		if (!at)
			return not_json;
		at += json_scan_space(at) - at;
		if (*at != ':')
			return not_json;
		at += json_scan_space(at + 1) - at;
		field = find(key, length, expected);
		if (field && !(*seen >> (field - fields) & 1)) { /* of equal keys, the first is meant */
			char *end = parse_value(at, field, line);

			if (!end)
				return json_scan_value(at) ? field->wrong : not_json;
			at = end;
			expected = (size_t)(field - fields) + 1;
			*seen |= UINT32_C(1) << (field - fields);
		} else {
			const char *end = json_scan_value(at);

			if (!end)
				return not_json;
			at += end - at;
		}
		at += json_scan_space(at) - at;
		if (*at != ',')
			break;
		at += json_scan_space(at + 1) - at;
	}
	if (*at != '}')
		return not_json;
	return *json_scan_space(at + 1) == '\0' ? NULL : "something behind the record (two lines in one)";
}

/* What is shown as it is, in every format: nothing that a terminal, a table or a page takes for more than a word. */
static bool is_word(const char *text)
{
	enum { WORD_MOST = 16 };
	const size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-");

	return length > 0 && length <= WORD_MOST && text[length] == '\0';
}

const char *line_parse(char *text, struct line *line)
{
	static const struct line unknown = {
	    .exit_code = LINE_UNKNOWN,
	    .start_ms = INT64_MIN,
	    .pid = LINE_UNKNOWN,
	    .duration_ms = LINE_UNKNOWN,
	    .peak_upper = LINE_UNKNOWN,
	    .peak_at_ms = LINE_UNKNOWN,
	    .samples = LINE_UNKNOWN,
	    .interval_ms = LINE_UNKNOWN,
	    .processes_max = LINE_UNKNOWN,
	};
	uint32_t seen = 0;
	const char *wrong;

	*line = unknown;
	text += json_scan_space(text) - text;
	if (*text != '{')
		return "not a JSON object";
	text += json_scan_space(text + 1) - text;
	wrong = *text == '}' ? NULL : parse_members(text, line, &seen);
	if (wrong)
		return wrong;
	if (!(seen & 1))
		return "no \"v\": not a record of heaplog";
	if (!line->run)
		return "no \"run\"";
	if (!line->task || !*line->task)
		return "no \"task\"";
	if (!line->metric)
		line->metric = "rss"; /* what the first records had without saying so */
	if (!is_word(line->metric))
		return "\"metric\" is not a word";
	if (line->signal && !is_word(line->signal))
		return "the signal of \"exit\" is not a word";
	if (line->start && !line_parse_time(line->start, &line->start_ms))
		return "\"start\" is not a time";
	if (line->peak_upper != LINE_UNKNOWN && line->peak_upper < line->peak)
		line->peak_upper = LINE_UNKNOWN; /* no bound */
	return NULL;
}

bool line_next_top(char **at, struct line_top *top)
{
	char *here = *at;
	size_t length;

	if (!here || (*here != '[' && *here != ','))
		return false;
	here += json_scan_space(here + 1) - here;
	if (*here != '{')
		return false;
	*top = (struct line_top){.command = "", .pid = LINE_UNKNOWN};
	do {
		const char *key, *end;
		const bool open = *here == '{' || *here == ',';

		if (!open)
			return false;
		here += json_scan_space(here + 1) - here;
		here = json_scan_string(here, &key, &length);
		if (!here)
			return false;
		here += json_scan_space(here) - here;
		here += json_scan_space(here + 1) - here;
		if (strcmp(key, "command") == 0)
			end = json_scan_string(here, &top->command, &length);
		else if (strcmp(key, "pid") == 0)
			end = json_scan_uint64(here, &top->pid);
		else if (strcmp(key, "bytes") == 0)
			end = json_scan_uint64(here, &top->bytes);
		else
			end = json_scan_value(here);
		if (!end)
			return false;
		end = json_scan_space(end);
		here += end - here;
	} while (*here != '}');
	here += json_scan_space(here + 1) - here;
	*at = here;
	return true;
}

bool line_next_sample(const char **at, uint64_t *ms, uint64_t *bytes)
{
	const char *here = *at;

	if (!here || (*here != '[' && *here != ','))
		return false;
	here = json_scan_space(here + 1);
	if (*here != '[')
		return false;
	here = json_scan_uint64(json_scan_space(here + 1), ms);
	if (!here || *(here = json_scan_space(here)) != ',')
		return false;
	here = json_scan_uint64(json_scan_space(here + 1), bytes);
	if (!here || *(here = json_scan_space(here)) != ']')
		return false;
	*at = json_scan_space(here + 1);
	return true;
}

/* Two digits (four: year), or -1. */
static int digits(const char *at, int count)
{
	int value = 0;

	for (int i = 0; i < count; i++) {
		if (at[i] < '0' || at[i] > '9')
			return -1;
		value = value * 10 + at[i] - '0';
	}
	return value;
}

bool line_parse_time(const char *text, int64_t *ms)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd";
	int64_t fraction = 0, offset = 0;

	for (size_t i = 0; form[i]; i++)
		if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
			return false;
	const int year = digits(text, 4), month = digits(text + 5, 2), day = digits(text + 8, 2);
	const int hour = digits(text + 11, 2), minute = digits(text + 14, 2), second = digits(text + 17, 2);
	if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60)
		return false;
	text += 19;
	if (*text == '.') {
		int64_t scale = 100;

		for (text++; *text >= '0' && *text <= '9'; text++, scale /= 10)
			fraction += (*text - '0') * scale;
	}
	if (*text == '+' || *text == '-') {
		const int hours = digits(text + 1, 2);
		const int minutes = hours >= 0 && text[3] == ':' ? digits(text + 4, 2) : -1;

		if (minutes < 0)
			return false;
		offset = (*text == '-' ? -1 : 1) * (hours * 60 + minutes);
		text += 6;
	} else if (*text++ != 'Z') {
		return false;
	}
	if (*text)
		return false;
	/* Days from the civil date, years beginning in March; the inverse stands in record/record.c. */
	const int64_t y = year - (month <= 2);
	const int64_t era = (y >= 0 ? y : y - 399) / 400;
	const int64_t year_of_era = y - era * 400;
	const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	const int64_t days =
	    era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
	*ms = ((days * 24 + hour) * 60 + minute - offset) * 60000 + second * 1000 + fraction;
	return true;
}
