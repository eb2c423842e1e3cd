/* What is used of macOS's libproc. On other systems the same names and layouts, for the tests, which give functions of
 * their own (Apple's libproc.h, sys/proc_info.h and sys/resource.h). */
#ifndef HEAPLOG_DARWIN_LIBPROC_H
#define HEAPLOG_DARWIN_LIBPROC_H

#ifdef __APPLE__
#include <libproc.h>
#include <sys/proc_info.h>
#include <sys/resource.h>
#else
#include <stdint.h>
#include <sys/types.h>

enum { RUSAGE_INFO_V4 = 4, PROC_PIDT_SHORTBSDINFO = 13, PROC_FLAG_EXEC = 0x4000 };

struct proc_bsdshortinfo {
	uint32_t pbsi_pid, pbsi_ppid, pbsi_pgid, pbsi_status;
	char pbsi_comm[16];
	uint32_t pbsi_flags;
};

struct rusage_info_v4 {
	uint64_t ri_resident_size;
	uint64_t ri_phys_footprint;
	uint64_t ri_proc_start_abstime;
	uint64_t ri_proc_exit_abstime;
	uint64_t ri_lifetime_max_phys_footprint;
};
typedef void *rusage_info_t;

int proc_listchildpids(pid_t parent, void *buffer, int size);
int proc_pidinfo(int pid, int flavor, uint64_t argument, void *buffer, int size);
int proc_pid_rusage(int pid, int flavor, rusage_info_t *buffer);
int proc_name(int pid, void *buffer, uint32_t size);
#endif

#endif
