/* Running once on every CPU, as a way to know that what other CPUs were doing in softirq context is over.
 *
 * Owns nothing; the calling thread's CPU affinity is changed for the duration and put back. A packet is
 * received with softirqs disabled, and a CPU in that state schedules nobody (except with PREEMPT_RT): when
 * this thread has run on a CPU, every packet that CPU was working on before the call is done. The substitute
 * for membarrier(2) where that is missing. */
#ifndef RPCTL_CPU_VISIT_H
#define RPCTL_CPU_VISIT_H

#include <rp/error.h>

/* -ENOTSUP when a CPU that is online may not be visited (a cpuset). Takes up to a scheduler slice per CPU. */
int rpctl_cpu_visit_all(struct rp_error *error);

#endif
