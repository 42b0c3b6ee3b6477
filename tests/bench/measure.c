/* measure FILE COMMAND...: runs a command, appends "SECONDS KIBIBYTES CPU" to FILE: wall time, peak resident
 * memory, processor time of the user and the system.
 *
 * A program of its own, because Linux hands the peak of a process on to what it executes: measured from Python,
 * every command seems to need what Python needs. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double
in_seconds(const struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double
now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
	struct rusage used;
	int status = 0;
	if (argc < 3)
		return 2;
	const double began = now();
	const pid_t child = fork();
	if (child == 0) {
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	if (child < 0 || wait4(child, &status, 0, &used) < 0)
		return 2;
	const double seconds = now() - began;
	FILE *const out = fopen(argv[1], "a");
	if (!out)
		return 2;
	fprintf(out, "%.6f %ld %.6f\n", seconds, used.ru_maxrss,
		in_seconds(used.ru_utime) + in_seconds(used.ru_stime));
	if (fclose(out))
		return 2;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
