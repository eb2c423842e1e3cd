/* report --format text: aligned columns for a terminal or a log. */
#include "cli/format.h"
#include "cli/report.h"
#include "cli/terminal.h"
#include "cli/utf8.h"
#include "record/size.h"

#include <string.h>

enum { NAME_LEAST = 12, BAR_LEAST = 6, BAR_MOST = 30 };

struct layout {
	size_t name, peak, bar;
	bool colour, unicode;
};

static const char *colour_of(const struct report *report, uint64_t peak)
{
	if (report->warn == 0)
		return "\033[36m";
	/* Above the threshold; close to it, that is above four fifths; well below. */
	return peak > report->warn ? "\033[31m" : peak > report->warn / 5 * 4 ? "\033[33m" : "\033[32m";
}

static void coloured(const struct report *report, const struct layout *layout, const char *colour, const char *text,
		     size_t width)
{
	for (size_t i = strlen(text); i < width; i++)
		putc(' ', report->out);
	fprintf(report->out, "%s%s%s", layout->colour ? colour : "", text, layout->colour ? "\033[0m" : "");
}

static struct layout lay_out(const struct report *report)
{
	struct layout layout = {
	    .name = 4, .peak = 4, .colour = terminal_colour(report->out), .unicode = terminal_unicode()};
	const size_t width = terminal_width(report->out);
	const size_t rest = (report->several ? 16 : 0) + 9 + 7 + 12;
	char text[FORMAT_TEXT];
	size_t room;

	for (size_t i = 0; i < report->shown; i++) {
		const struct table_task *task = &report->table.tasks[i];
		const size_t columns = utf8_width(task->name);
		const size_t peak = strlen(format_peak(task->largest.peak, task->metric, text));

		layout.name = columns > layout.name ? columns : layout.name;
		layout.peak = peak > layout.peak ? peak : layout.peak;
	}
	room = width > rest + layout.peak + 4 ? width - rest - layout.peak - 4 : 0;
	if (layout.name + BAR_LEAST > room)
		layout.name = room > NAME_LEAST + BAR_LEAST ? room - BAR_LEAST : NAME_LEAST;
	layout.bar = room > layout.name ? room - layout.name : 0;
	layout.bar = layout.bar > BAR_MOST ? BAR_MOST : layout.bar;
	return layout;
}

static void print_name(const struct report *report, const struct layout *layout, const char *name)
{
	for (size_t i = utf8_print(report->out, name, layout->name, layout->unicode); i < layout->name; i++)
		putc(' ', report->out);
}

static void print_processes(const struct report *report, const struct layout *layout, char *top)
{
	struct line_top process;

	while (line_next_top(&top, &process)) {
		char size[FORMAT_TEXT];
		const size_t width = terminal_width(report->out);

		fprintf(report->out, "  %*s  ", (int)(layout->peak + 6), format_peak(process.bytes, "rss", size));
		utf8_print(report->out, process.command, width - layout->peak - 12, layout->unicode);
		putc('\n', report->out);
	}
}

static void print_row(const struct report *report, const struct layout *layout, const struct table_task *task,
		      uint64_t most)
{
	const char *colour = colour_of(report, task->largest.peak);
	char text[FORMAT_TEXT];

	print_name(report, layout, task->name);
	fputs("  ", report->out);
	coloured(report, layout, colour, format_peak(task->largest.peak, task->metric, text), layout->peak);
	fputs("  ", report->out);
	if (layout->bar > 0) {
		fputs(layout->colour ? colour : "", report->out);
		terminal_bar(report->out, (double)task->largest.peak, (double)most, layout->bar, layout->unicode);
		fputs(layout->colour ? "\033[0m" : "", report->out);
	}
	if (report->several)
		fprintf(report->out, "%9s%7u", format_peak(task->median, "rss", text), task->count);
	fprintf(report->out, "%9s", format_duration(task->largest.duration_ms, text));
	if (task->largest.processes_max == LINE_UNKNOWN)
		fputs("      -  ", report->out);
	else
		fprintf(report->out, "%7llu  ", (unsigned long long)task->largest.processes_max);
	coloured(report, layout, format_failed(&task->largest) ? "\033[31m" : "", format_exit(&task->largest, text), 0);
	putc('\n', report->out);
	if (report->processes && task->top)
		print_processes(report, layout, task->top);
}

void report_text(const struct report *report)
{
	const struct layout layout = lay_out(report);
	uint64_t most = 0;

	if (report->table.count == 0) {
		fputs("no records\n", report->out);
		return;
	}
	for (size_t i = 0; i < report->shown; i++)
		if (report->table.tasks[i].largest.peak > most)
			most = report->table.tasks[i].largest.peak;
	fputs(layout.colour ? "\033[1m" : "", report->out);
	print_name(report, &layout, "task");
	fprintf(report->out, "  %*s  %*s", (int)layout.peak, "peak", (int)layout.bar, "");
	if (report->several)
		fprintf(report->out, "%9s%7s", "median", "runs");
	fprintf(report->out, "%9s%7s  exit%s\n", "time", "procs", layout.colour ? "\033[0m" : "");
	for (size_t i = 0; i < report->shown; i++)
		print_row(report, &layout, &report->table.tasks[i], most);
	if (report->shown < report->table.count)
		fprintf(report->out, "and %zu more tasks\n", report->table.count - report->shown);
	if (report->several)
		fprintf(report->out, "%u tasks in %u runs; a row is the task's run with the largest peak\n",
			report->table.count, report->table.runs.count);
}
