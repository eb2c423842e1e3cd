#include "measure/peak.h"

#include <string.h>

void heaplog_peak_init(struct heaplog_peak *peak, uint64_t start_ns, uint32_t interval_ms)
{
	memset(peak, 0, sizeof *peak);
	peak->start_ns = start_ns;
	peak->summary.interval_ms = interval_ms;
	peak->series_step_ms = 1;
}

static void raise_peak(struct heaplog_summary *summary, uint64_t bytes, uint64_t at_ms)
{
	summary->peak_bytes = bytes;
	summary->peak_at_ms = at_ms;
	if (summary->peak_upper_bytes < bytes)
		summary->peak_upper_bytes = bytes;
}

/* Halve the series: of each pair the larger stays, so that the peak always does. */
static void thin(struct heaplog_peak *peak)
{
	struct heaplog_summary *summary = &peak->summary;
	uint32_t kept = 0;

	for (uint32_t i = 0; i + 1 < summary->series_count; i += 2)
		summary->series[kept++] = summary->series[i].bytes >= summary->series[i + 1].bytes
					      ? summary->series[i]
					      : summary->series[i + 1];
	if (summary->series_count % 2)
		summary->series[kept++] = summary->series[summary->series_count - 1];
	summary->series_count = kept;
	peak->series_step_ms *= 2;
}

static void add_point(struct heaplog_peak *peak, uint64_t ms, uint64_t bytes)
{
	struct heaplog_summary *summary = &peak->summary;
	struct heaplog_point *last = summary->series_count ? &summary->series[summary->series_count - 1] : NULL;

	/* Within one step the larger value stands for both. */
	if (last && ms - last->ms < peak->series_step_ms) {
		if (bytes > last->bytes)
			*last = (struct heaplog_point){.ms = ms, .bytes = bytes};
		return;
	}
	if (summary->series_count == HEAPLOG_SERIES_MAX)
		thin(peak);
	summary->series[summary->series_count++] = (struct heaplog_point){.ms = ms, .bytes = bytes};
}

/* The eight largest, by insertion: a tree has few members that matter. */
static void note_top(struct heaplog_summary *summary, const struct heaplog_reading *readings, size_t count)
{
	summary->top_count = 0;
	for (size_t i = 0; i < count; i++) {
		uint32_t at = summary->top_count;

		if (at == HEAPLOG_TOP_MAX && readings[i].resident <= summary->top[at - 1].bytes)
			continue;
		if (at == HEAPLOG_TOP_MAX)
			at--;
		else
			summary->top_count++;
		for (; at > 0 && summary->top[at - 1].bytes < readings[i].resident; at--)
			summary->top[at] = summary->top[at - 1];
		summary->top[at] = (struct heaplog_top){.pid = readings[i].pid, .bytes = readings[i].resident};
	}
}

static void note_largest(struct heaplog_summary *summary, uint64_t bytes)
{
	if (summary->largest_bytes < bytes)
		summary->largest_bytes = bytes;
}

static uint64_t since_start(const struct heaplog_peak *peak, uint64_t now_ns)
{
	return now_ns > peak->start_ns ? (now_ns - peak->start_ns) / 1000000 : 0;
}

void heaplog_peak_alone(struct heaplog_peak *peak, uint64_t now_ns, pid_t pid, uint64_t bytes)
{
	const struct heaplog_reading alone = {.pid = pid, .resident = bytes};
	char command[HEAPLOG_COMMAND_MAX] = "";

	note_largest(&peak->summary, bytes);
	if (bytes <= peak->summary.peak_bytes)
		return;
	raise_peak(&peak->summary, bytes, since_start(peak, now_ns));
	/* Its arguments may be known already, and it may have gone since. */
	for (uint32_t i = 0; i < peak->summary.top_count; i++)
		if (peak->summary.top[i].pid == pid)
			memcpy(command, peak->summary.top[i].command, sizeof command);
	note_top(&peak->summary, &alone, 1);
	memcpy(peak->summary.top[0].command, command, sizeof command);
	peak->top_stale = true;
}

/* The interval sweep. Since the last tick each process that is there may have been as high as its mark, and each that
 * has gone as high as its own: all of them at the same instant, for all that anybody can know. */
void heaplog_peak_tick(struct heaplog_peak *peak, uint64_t now_ns, const struct heaplog_reading *readings, size_t count,
		       uint64_t gone)
{
	struct heaplog_summary *summary = &peak->summary;
	const uint64_t ms = since_start(peak, now_ns);
	const struct heaplog_reading *highest = NULL;
	uint64_t sum = 0;
	uint64_t upper = gone;

	peak->top_stale = false;
	for (size_t i = 0; i < count; i++) {
		sum += readings[i].resident;
		upper += readings[i].high_water;
		note_largest(summary, readings[i].high_water);
		if (!highest || readings[i].alone > highest->alone)
			highest = &readings[i];
	}
	summary->current_bytes = sum;
	summary->processes = (uint32_t)count;
	if (upper > summary->peak_upper_bytes)
		summary->peak_upper_bytes = upper;
	if (!count)
		return;
	summary->samples++;
	if (count > summary->processes_max)
		summary->processes_max = (uint32_t)count;
	if (sum > summary->peak_bytes) {
		raise_peak(summary, sum, ms);
		note_top(summary, readings, count);
		peak->top_stale = true;
	}
	/* One process was alone above all sums that were seen: a spike between two looks. */
	heaplog_peak_alone(peak, now_ns, highest->pid, highest->alone);
	add_point(peak, ms, peak->top_stale ? summary->peak_bytes : sum);
}

void heaplog_peak_reaped(struct heaplog_summary *summary, uint64_t maxrss, uint64_t carry_over, uint64_t at_ms)
{
	const uint64_t most = maxrss > summary->peak_bytes ? maxrss : summary->peak_bytes;

	if (maxrss <= carry_over)
		return;
	/* More than any process was seen with: one has grown after its last look, or never had one. What the others held
	 * beside it nobody knows, but no more than the bound so far. (Pages are touched on the way out: 1 %.) */
	if (maxrss > summary->largest_bytes && maxrss - summary->largest_bytes > most / 100) {
		summary->peak_upper_bytes += maxrss;
		note_largest(summary, maxrss);
	}
	if (maxrss > summary->peak_bytes)
		raise_peak(summary, maxrss, at_ms);
}
