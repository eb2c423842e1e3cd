/* report --format markdown: for $GITHUB_STEP_SUMMARY and comments on pull requests. */
#include "cli/format.h"
#include "cli/markdown.h"
#include "cli/report.h"
#include "cli/terminal.h"
#include "record/size.h"

/* GitHub refuses a summary above 1 MiB: without --top, no more rows than surely fit. */
enum { ROWS_MOST = 500 };

static void processes(FILE *out, char *top)
{
	struct line_top process;
	char size[FORMAT_TEXT];

	while (line_next_top(&top, &process)) {
		fprintf(out, "<br><sub>%s ", format_peak(process.bytes, "rss", size));
		markdown_cell(out, process.command);
		fputs("</sub>", out);
	}
}

static void row(const struct report *report, const struct table_task *task, uint64_t most)
{
	FILE *out = report->out;
	const bool over = report->warn && task->largest.peak > report->warn;
	char text[FORMAT_TEXT];

	fputs("| ", out);
	markdown_cell(out, task->name);
	if (report->processes && task->top)
		processes(out, task->top);
	fprintf(out, " | %s%s%s | ", over ? "**" : "", format_peak(task->largest.peak, task->metric, text),
		over ? "** ⚠️" : "");
	if (task->largest.peak) {
		fputs("`", out);
		terminal_bar(out, (double)task->largest.peak, (double)most, 12, true);
		fputs("`", out);
	}
	if (report->several)
		fprintf(out, " | %s | %u", format_peak(task->median, "rss", text), task->count);
	fprintf(out, " | %s", format_duration(task->largest.duration_ms, text));
	if (task->largest.processes_max == LINE_UNKNOWN)
		fputs(" | - | ", out);
	else
		fprintf(out, " | %llu | ", (unsigned long long)task->largest.processes_max);
	fputs(format_failed(&task->largest) ? "❌ " : "", out);
	markdown_cell(out, format_exit(&task->largest, text));
	fputs(" |\n", out);
}

void report_markdown(const struct report *report)
{
	const size_t shown =
	    report->shown == report->table.count && report->shown > ROWS_MOST ? ROWS_MOST : report->shown;
	FILE *out = report->out;
	uint64_t most = 0;
	char size[HEAPLOG_SIZE_TEXT];

	fputs("### Peak memory by task\n\n", out);
	if (report->table.count == 0) {
		fputs("No task ran: all came from the cache, or none was recorded.\n", out);
		return;
	}
	for (size_t i = 0; i < shown; i++)
		if (report->table.tasks[i].largest.peak > most)
			most = report->table.tasks[i].largest.peak;
	fprintf(out, "| Task | Peak | |%s Time | Processes | Exit |\n", report->several ? " Median | Runs |" : "");
	fprintf(out, "|:--|--:|:--|%s--:|--:|:--|\n", report->several ? "--:|--:|" : "");
	for (size_t i = 0; i < shown; i++)
		row(report, &report->table.tasks[i], most);
	if (shown < report->table.count)
		fprintf(out, "\nand %zu more tasks\n", report->table.count - shown);
	if (report->warn) {
		heaplog_size_format(report->warn, size);
		fprintf(out, "\n⚠️ above %s\n", size);
	}
}
