/* Our functions under names of their own: heaplog_fork for fork, of every row of symbols.def. */
#ifndef HEAPLOG_DARWIN_INTERPOSE_H
#define HEAPLOG_DARWIN_INTERPOSE_H

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define SYMBOL(name, type, parameters) extern type heaplog_##name parameters;
#define ALIAS(alias, name)
#define VERSIONED(name, version)
#include "preload/symbols.def"
#undef SYMBOL
#undef ALIAS
#undef VERSIONED

#endif
