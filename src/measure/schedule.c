#include "measure/schedule.h"

enum { FIRST_MS = 1, EARLY_MS = 100, EARLY_TICKS = 5, SHARE = 50 /* a walk may take 1/50, 2 % of a core */ };

#define MS 1000000U

void heaplog_schedule_init(struct heaplog_schedule *schedule, uint32_t interval_ms)
{
	*schedule = (struct heaplog_schedule){.period_ns = (uint64_t)interval_ms * MS};
}

uint64_t heaplog_schedule_next(struct heaplog_schedule *schedule, uint64_t cost_ns, bool changed, bool apart)
{
	uint64_t delay = schedule->delay_ns ? schedule->delay_ns * 2 : (uint64_t)FIRST_MS * MS;

	/* The circuit breaker: the watched machine comes first. */
	while (schedule->period_ns < cost_ns * SHARE && schedule->period_ns < 60000ULL * MS)
		schedule->period_ns *= 2;
	if (changed || apart)
		schedule->early_left = EARLY_TICKS;
	if (delay > schedule->period_ns)
		delay = schedule->period_ns;
	schedule->delay_ns = delay;
	/* Early again after a change, as long as that stays within the share. */
	if (delay > (uint64_t)EARLY_MS * MS && schedule->early_left && cost_ns * SHARE <= (uint64_t)EARLY_MS * MS) {
		schedule->early_left--;
		delay = (uint64_t)EARLY_MS * MS;
	}
	return delay;
}
