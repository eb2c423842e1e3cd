/* Records as the library writes them, for measuring and looking at `heaplog report`:
 *	generate RECORDS TASKS [SEED]	to stdout; RECORDS / TASKS runs, four tasks at once in each
 * The same arguments give the same bytes. */
#include "record/record.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t state;

/* splitmix64 */
static uint64_t next(void)
{
	uint64_t z = (state += 0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* From 0 to 1, not 1. */
static double uniform(void)
{
	return (double)(next() >> 11) / 9007199254740992.0;
}

static void fill(struct heaplog_summary *summary, double peak, uint64_t duration)
{
	static const char *const commands[] = {
	    "node /repo/node_modules/.bin/vite build --mode production",
	    "/repo/node_modules/@esbuild/linux-x64/bin/esbuild --service=0.25.0 --ping",
	    "node /repo/node_modules/typescript/bin/tsc --build --pretty false",
	    "/usr/lib/chromium/chromium --type=renderer --headless",
	};
	const uint32_t points =
	    duration / 500 + 2 > HEAPLOG_SERIES_MAX ? HEAPLOG_SERIES_MAX : (uint32_t)(duration / 500 + 2);
	const double at = 0.3 + 0.6 * uniform();

	*summary = (struct heaplog_summary){.peak_bytes = (uint64_t)peak};
	summary->peak_upper_bytes = summary->peak_bytes + (uint64_t)(uniform() < 0.8 ? peak / 200 : peak / 8);
	summary->peak_at_ms = (uint64_t)(at * (double)duration);
	summary->samples = points + 6;
	summary->top_count = 1 + (uint32_t)(next() % 4);
	summary->processes_max = summary->top_count + (uint32_t)(next() % 3);
	for (uint32_t i = 0; i < summary->top_count; i++) {
		summary->top[i].pid = (pid_t)(1000 + next() % 30000);
		summary->top[i].bytes = (uint64_t)(peak * (i ? 0.3 / (summary->top_count - 1) : 0.7));
		snprintf(summary->top[i].command, sizeof summary->top[i].command, "%s", commands[(i + next()) % 4]);
	}
	summary->series_count = points;
	for (uint32_t i = 0; i < points; i++) {
		const double x = (double)i / (points - 1);
		const double shape = x < at ? sqrt(x / at) : 1 - 0.5 * (x - at) / (1 - at);

		summary->series[i].ms = (uint64_t)(x * (double)duration);
		summary->series[i].bytes = (uint64_t)(peak * shape * (x == at ? 1 : 0.9 + 0.1 * uniform()));
	}
}

int main(int argc, char **argv)
{
	static const char *const areas[] = {"web", "api", "shared", "mobile", "admin", "billing", "search", "auth"};
	static const char *const targets[] = {"build", "test", "lint", "e2e", "typecheck"};
	static char line[HEAPLOG_RECORD_MAX];
	static struct heaplog_summary summary;
	const unsigned long records = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	const unsigned long tasks = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	const unsigned long seed = argc > 3 ? strtoul(argv[3], NULL, 10) : 1;
	uint64_t lane[4] = {0};

	if (records == 0 || tasks == 0) {
		fputs("usage: generate RECORDS TASKS [SEED]\n", stderr);
		return 2;
	}
	for (unsigned long i = 0; i < records; i++) {
		const unsigned long run = i / tasks, number = i % tasks;
		char names[5][160];
		size_t free_lane = 0;

		/* A task is much alike from run to run, and there are many small ones and a few large ones. */
		state = number * 0x51ed2701 + seed;
		const double size = 40e6 * exp(3.6 * uniform() * uniform() + 0.8 * uniform());
		const double length = 800 * exp(3.5 * uniform());
		const char *area = areas[number / 5 * 5 % 8], *target = targets[number % 5];
		state ^= run * 0x2545f491;
		const uint64_t duration = (uint64_t)(length * (0.85 + 0.3 * uniform()));

		if (number == 0)
			for (size_t j = 0; j < 4; j++)
				lane[j] = 0;
		for (size_t j = 1; j < 4; j++)
			if (lane[j] < lane[free_lane])
				free_lane = j;
		fill(&summary, size * (0.94 + 0.12 * uniform()), duration);
		snprintf(names[0], sizeof names[0], "%lx-%lu", 0x67000000 + run * 7919 + seed, 4000 + run % 900);
		snprintf(names[1], sizeof names[0], "@acme/%s-%lu", area, number / 5 + 1);
		snprintf(names[2], sizeof names[0], "%s", target);
		snprintf(names[3], sizeof names[0], "%.60s:%.60s", names[1], names[2]);
		snprintf(names[4], sizeof names[0], "%020llu", (unsigned long long)next());
		const uint64_t start = (1764000000 + (uint64_t)run * 3600) * 1000 + lane[free_lane];
		lane[free_lane] += duration + 30 + next() % 200;
		const double fate = uniform();
		const struct heaplog_record record = {
		    .run = names[0],
		    .task = names[3],
		    .project = names[1],
		    .target = names[2],
		    .hash = names[4],
		    .runner = "nx",
		    .pid = (pid_t)(1000 + next() % 30000),
		    .start = {.tv_sec = (time_t)(start / 1000), .tv_nsec = (long)(start % 1000) * 1000000},
		    .duration_ms = duration,
		    .exit = fate < 0.004 ? HEAPLOG_EXIT_SIGNAL : HEAPLOG_EXIT_CODE,
		    .exit_value = fate < 0.004  ? 9
				  : fate < 0.02 ? 1
						: 0,
		    .oom = fate < 0.002,
		    .interval_ms = 500,
		    .metric = "rss",
		    .summary = &summary,
		};
		fwrite(line, 1, heaplog_record_format(&record, line, sizeof line), stdout);
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
