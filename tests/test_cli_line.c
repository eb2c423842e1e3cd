/* Lines to records, and records to a table of tasks. */
#include "torture.h"

#include "cli/line.h"
#include "cli/table.h"
#include "record/record.h"

static const char *parse(const char *text, struct line *line)
{
	static char copies[8][HEAPLOG_RECORD_MAX + 1];
	static unsigned next;
	char *copy = copies[next++ % 8];

	strcpy(copy, text);
	copy[strcspn(copy, "\n")] = '\0';
	return line_parse(copy, line);
}

/* What the library writes is what is read, every field. */
static void written_records_are_read(void **state)
{
	struct heaplog_summary summary = {.peak_bytes = 1000,
					  .peak_upper_bytes = 1200,
					  .peak_at_ms = 7,
					  .samples = 9,
					  .processes_max = 3,
					  .top_count = 2,
					  .series_count = 3};
	const struct heaplog_record record = {.run = "r\"1\"",
					      .task = "a:b:\n\xe4\xb8\xad",
					      .project = "a",
					      .target = "b",
					      .configuration = "c",
					      .hash = "h",
					      .runner = "nx",
					      .pid = 77,
					      .start = {.tv_sec = 1764000000, .tv_nsec = 123456789},
					      .duration_ms = 1500,
					      .exit = HEAPLOG_EXIT_SIGNAL,
					      .exit_value = 9,
					      .oom = true,
					      .interval_ms = 500,
					      .metric = "pss",
					      .summary = &summary};
	char text[HEAPLOG_RECORD_MAX + 1];
	struct line line;
	struct line_top top;
	uint64_t ms, bytes;

	(void)state;
	for (uint32_t i = 0; i < 2; i++) {
		summary.top[i].pid = (pid_t)(100 + i);
		summary.top[i].bytes = 600 - i;
		strcpy(summary.top[i].command, i ? "sh -c \"]}\"" : "node");
	}
	for (uint32_t i = 0; i < 3; i++) {
		summary.series[i].ms = i * 500;
		summary.series[i].bytes = i * 3;
	}
	heaplog_record_format(&record, text, sizeof text);
	assert_null(parse(text, &line));
	assert_string_equal(line.run, record.run);
	assert_string_equal(line.task, record.task);
	assert_string_equal(line.configuration, "c");
	assert_string_equal(line.metric, "pss");
	assert_string_equal(line.signal, "SIGKILL");
	assert_true(line.exit_code == LINE_UNKNOWN && line.oom && !line.exact);
	assert_true(line.start_ms == 1764000000123 && line.duration_ms == 1500 && line.pid == 77);
	assert_true(line.peak == 1000 && line.peak_upper == 1200 && line.peak_at_ms == 7 && line.samples == 9);
	assert_true(line.interval_ms == 500 && line.processes_max == 3);
	char *at = (char *)(uintptr_t)line.top.text;
	assert_true(line_next_top(&at, &top));
	assert_string_equal(top.command, "node");
	assert_true(line_next_top(&at, &top));
	assert_string_equal(top.command, "sh -c \"]}\"");
	assert_true(top.pid == 101 && top.bytes == 599);
	assert_false(line_next_top(&at, &top));
	const char *sample = line.series.text;
	for (uint32_t i = 0; i < 3; i++) {
		assert_true(line_next_sample(&sample, &ms, &bytes));
		assert_true(ms == i * 500 && bytes == i * 3);
	}
	assert_false(line_next_sample(&sample, &ms, &bytes));
}

static void what_is_missing_is_unknown(void **state)
{
	struct line line;

	(void)state;
	assert_null(parse("{\"v\":1,\"run\":\"r\",\"task\":\"t\",\"new key\":{\"a\":[1,{}]}}", &line));
	assert_null(line.project);
	assert_null(line.top.text);
	assert_string_equal(line.metric, "rss");
	assert_true(line.peak == 0 && line.peak_upper == LINE_UNKNOWN && line.duration_ms == LINE_UNKNOWN);
	assert_true(line.start_ms == INT64_MIN && line.exit_code == LINE_UNKNOWN && !line.signal);
	/* Of equal keys the first; spaces; an upper bound below the peak is none; numbers that are none of ours. */
	assert_null(parse(" { \"v\" : 1 , \"run\" : \"r\" , \"task\" : \"t\" , \"task\" : \"u\" , \"peak_bytes\" : 5 , "
			  "\"peak_upper_bytes\" : 4 , \"x\" : -1.5e3 , \"exit\" : { \"other\" : [] , \"code\" : 3 } } ",
			  &line));
	assert_string_equal(line.task, "t");
	assert_true(line.peak == 5 && line.peak_upper == LINE_UNKNOWN && line.exit_code == 3);
}

static void every_error_has_its_words(void **state)
{
	static const struct {
		const char *line, *words;
	} cases[] = {
	    {"x", "not a JSON object"},
	    {"[1]", "not a JSON object"},
	    {"{}", "no \"v\""},
	    {"{\"v\":2,\"run\":\"r\",\"task\":\"t\"}", "\"v\" is not 1"},
	    {"{\"v\":\"1\",\"run\":\"r\",\"task\":\"t\"}", "\"v\" is not 1"},
	    {"{\"run\":\"r\",\"task\":\"t\"}", "no \"v\""},
	    {"{\"v\":1,\"task\":\"t\"}", "no \"run\""},
	    {"{\"v\":1,\"run\":\"r\"}", "no \"task\""},
	    {"{\"v\":1,\"run\":\"r\",\"task\":\"\"}", "no \"task\""},
	    {"{\"v\":1,\"run\":\"r\",\"task\":7}", "\"task\" is not a string"},
	    {"{\"v\":1,\"run\":\"r\",\"task\":\"t\",\"peak_bytes\":-1}", "\"peak_bytes\" is not an integer"},
	    {"{\"v\":1,\"run\":\"r\",\"task\":\"t\",\"peak_bytes\":1.5}", "\"peak_bytes\" is not an integer"},
	    {"{\"v\":1,\"run\":\"r\",\"task\":\"t\",\"peak_bytes\":18446744073709551616}",
	     "\"peak_bytes\" is not an integer"},
	    {"{\"v\":1,\"run\":\"r\",\"task\":\"t\",\"peak_bytes\":\"5\"}", "\"peak_bytes\" is not an integer"},
	    {"{\"v\":1,\"run\":\"r\",\"task\":\"t\",\"oom\":1}", "\"oom\" is neither"},
	    {"{\"v\":1,\"run\":\"r\",\"task\":\"t\",\"exit\":1}", "\"exit\" is neither"},
	    {"{\"v\":1,\"run\":\"r\",\"task\":\"t\",\"top\":{}}", "\"top\" is not a list"},
	    {"{\"v\":1,\"run\":\"r\",\"task\":\"t\",\"start\":\"yesterday\"}", "\"start\" is not a time"},
	    {"{\"v\":1,\"run\":\"r\",\"task\":\"t\",\"series\":[[0,1],[5", "not JSON"},
	    {"{\"v\":1,\"run\":\"r\",\"ta{\"v\":1,\"run\":\"r\",\"task\":\"t\"}", "not JSON"},
	    {"{\"v\":1,\"run\":\"r\",\"task\":\"t\"}{\"v\":1}", "something behind the record"},
	    {"{\"v\":1,\"run\":\"r\",\"task\":\"\xff\"}", "\"task\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct line line;
		const char *wrong = parse(cases[i].line, &line);

		if (i + 1 == sizeof cases / sizeof *cases) {
			assert_non_null(wrong);
			continue;
		}
		if (!wrong || !strstr(wrong, cases[i].words))
			fail_msg("%s: %s, expected %s", cases[i].line, wrong ? wrong : "taken", cases[i].words);
	}
}

/* No beginning of a record is a record. */
static void cut_lines_are_refused(void **state)
{
	static const char whole[] =
	    "{\"v\":1,\"run\":\"r\",\"task\":\"t\",\"exit\":{\"code\":0},\"peak_bytes\":123,\"top\":[{\"pid\":1,"
	    "\"command\":\"a\",\"bytes\":2}],\"series\":[[0,1],[2,3]]}";
	struct line line;
	char text[sizeof whole];

	(void)state;
	assert_null(parse(whole, &line));
	for (size_t cut = 0; cut + 1 < sizeof whole; cut++) {
		memcpy(text, whole, cut);
		text[cut] = '\0';
		assert_non_null(parse(text, &line));
	}
}

static void times(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {
	    {"1970-01-01T00:00:00Z", 0},
	    {"2000-02-29T23:59:59.999Z", 951868799999},
	    {"2026-11-23T21:00:00.123456Z", 1795467600123},
	    {"2026-11-23T21:00:00+01:00", 1795464000000},
	    {"1969-12-31T23:59:59.5Z", -500},
	    {"0001-01-01T00:00:00.000Z", INT64_C(-62135596800000)},
	    {"9999-12-31T23:59:59.999Z", INT64_C(253402300799999)},
	};
	static const char *const bad[] = {"",
					  "2026",
					  "2026-13-01T00:00:00Z",
					  "2026-01-01T24:00:00Z",
					  "2026-01-01 00:00:00Z",
					  "2026-01-01T00:00:00",
					  "2026-01-01T00:00:00Zx",
					  "2026-01-01T00:00:00+1",
					  "2026-1-1T0:0:0Z"};
	int64_t ms;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		assert_true(line_parse_time(good[i].text, &ms));
		if (ms != good[i].ms)
			fail_msg("%s: %lld", good[i].text, (long long)ms);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(line_parse_time(bad[i], &ms));
}

static void add(struct table *table, unsigned run, unsigned task, unsigned long long peak)
{
	char text[256];
	struct line line;

	snprintf(text, sizeof text,
		 "{\"v\":1,\"run\":\"run %u\",\"task\":\"task %u\",\"peak_bytes\":%llu,\"processes_max\":%llu}", run,
		 task, peak, peak);
	assert_null(line_parse(text, &line));
	table_add(table, &line);
}

/* Any order of runs, lines that replace others near and far: the table says what the last lines of each say. */
static void table_is_what_the_last_lines_say(void **state)
{
	enum { RUNS = 40, TASKS = 9 };

	(void)state;
	srand(3);
	for (int round = 0; round < 60; round++) {
		unsigned long long last[RUNS][TASKS] = {{0}};
		bool seen[RUNS][TASKS] = {{false}};
		struct table table = {0};

		for (int i = 0; i < 1200; i++) {
			const unsigned run = (unsigned)rand() % RUNS, task = (unsigned)rand() % TASKS;

			last[run][task] = (unsigned long long)(rand() % 50);
			seen[run][task] = true;
			add(&table, run, task, last[run][task]);
		}
		table_finish(&table);
		table_sort(&table, TABLE_BY_NAME);
		assert_int_equal(table.count, TASKS);
		for (unsigned task = 0; task < TASKS; task++) {
			const struct table_task *row = &table.tasks[task];
			uint64_t peaks[RUNS], most = 0;
			size_t measured = 0, runs = 0;

			for (unsigned run = 0; run < RUNS; run++) {
				runs += seen[run][task];
				if (seen[run][task] && last[run][task] > 0)
					peaks[measured++] = last[run][task];
				most = last[run][task] > most ? last[run][task] : most;
			}
			assert_int_equal(row->count, runs);
			assert_int_equal(row->measured, measured);
			assert_int_equal(row->largest.peak, most);
			assert_true(row->largest.processes_max == most || row->largest.processes_max == LINE_UNKNOWN);
			assert_int_equal(row->median, table_median(peaks, measured));
			assert_int_equal(row->least, peaks[0]);
		}
		table_free(&table);
	}
}

/* A later line with less, which is still the largest: what is shown of it is the later line's. */
static void details_are_the_last_lines(void **state)
{
	struct table table = {0};

	(void)state;
	add(&table, 1, 1, 30);
	add(&table, 2, 1, 10);
	add(&table, 1, 1, 20);
	table_finish(&table);
	assert_int_equal(table.tasks[0].largest.peak, 20);
	assert_int_equal(table.tasks[0].largest.processes_max, 20);
	assert_int_equal(table.tasks[0].count, 2);
	table_free(&table);
}

static void metrics_are_not_mixed(void **state)
{
	struct table table = {0};
	struct line line;
	char rss[] = "{\"v\":1,\"run\":\"r\",\"task\":\"t\",\"metric\":\"rss\",\"peak_bytes\":500}";
	char pss[] = "{\"v\":1,\"run\":\"r\",\"task\":\"t\",\"metric\":\"pss\",\"peak_bytes\":300}";

	(void)state;
	assert_null(line_parse(rss, &line));
	table_add(&table, &line);
	assert_null(line_parse(pss, &line));
	table_add(&table, &line);
	table_finish(&table);
	table_sort(&table, TABLE_BY_PEAK);
	assert_int_equal(table.count, 2);
	assert_int_equal(table.tasks[0].largest.peak, 500);
	assert_string_equal(table.tasks[1].metric, "pss");
	table_free(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TORTURE(written_records_are_read),
	    TORTURE(what_is_missing_is_unknown),
	    TORTURE(every_error_has_its_words),
	    TORTURE(cut_lines_are_refused),
	    TORTURE(times),
	    TORTURE(table_is_what_the_last_lines_say),
	    TORTURE(details_are_the_last_lines),
	    TORTURE(metrics_are_not_mixed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
