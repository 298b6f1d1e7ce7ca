/* Writes what cksum(1) says about every file of DIR into DIR.cksum: all of them, or nothing.
 *
 *     cc -o checksum examples/checksum.c && progrun -- ./checksum DIR
 *
 * Shows bytes while a large file is read, and cleaning up at exit(). */
#define _XOPEN_SOURCE 700
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- Copy from here -------------------------------------------------------------------------- */
static int channel = -1; /* stays -1 without progrun, and report() does nothing */

/* A number in the environment is no proof: npm, `sudo -E`, Python's subprocess and others close
 * the descriptor but keep the variable, and the next file that is opened gets the number.
 * So check what the descriptor is, before opening anything. */
static void find_channel(void) {
    const char *fd = getenv("PROGRUN_FD"), *id = getenv("PROGRUN_FD_ID");
    char is[48];
    struct stat info;
    if (!fd || !id || fstat(atoi(fd), &info) != 0 || !S_ISFIFO(info.st_mode)) return;
    snprintf(is, sizeof is, "%ju:%ju", (uintmax_t)info.st_dev, (uintmax_t)info.st_ino);
    if (strcmp(is, id) != 0) return;
    channel = atoi(fd);
    /* Else the refused write would end us before we can clean up. A program that we exec would
     * inherit this, and needs signal(SIGPIPE, SIG_DFL) before. */
    signal(SIGPIPE, SIG_IGN);
}

/* Reports progress; if we are to stop, it exits, and atexit() cleans up. */
static void report(uintmax_t progress, uintmax_t total, const char *message) {
    char line[4096]; /* as much as a pipe takes in one piece */
    int n = snprintf(line, sizeof line, "{\"progress\":%ju,\"total\":%ju,\"unit\":\"bytes\",\"message\":\"",
                     progress, total);
    for (const char *c = message; *c && n < (int)sizeof line - 8; c++) {
        if (*c == '"' || *c == '\\') line[n++] = '\\';
        line[n++] = (unsigned char)*c < ' ' ? '?' : *c;
    }
    n += snprintf(line + n, sizeof line - n, "\"}\n");
    if (channel >= 0 && write(channel, line, n) < 0 && errno == EPIPE) exit(130);
    /* EAGAIN: the pipe is full, and this update is dropped. */
}
/* --- to here --------------------------------------------------------------------------------- */

static char result[4096], part[4096];

static void clean_up(void) {
    if (unlink(part) == 0) fputs("cleaned up\n", stderr); /* after the rename there is none */
}

static void need(int good, const char *what) {
    if (!good) perror(what), exit(1);
}

static int no_folder(const struct dirent *entry) {
    struct stat info;
    return stat(entry->d_name, &info) == 0 && !S_ISDIR(info.st_mode);
}

static uint32_t crc(uint32_t sum, unsigned char byte) {
    sum ^= (uint32_t)byte << 24;
    for (int bit = 0; bit < 8; bit++) sum = sum << 1 ^ (sum >> 31 ? 0x04C11DB7 : 0);
    return sum;
}

int main(int argc, char **argv) {
    static unsigned char buffer[1 << 20];
    char folder[4000];
    struct dirent **files;
    struct stat info;
    uintmax_t done = 0, total = 0;

    find_channel();
    if (argc != 2) return fputs("usage: checksum DIR\n", stderr), 2;
    need(chdir(argv[1]) == 0 && getcwd(folder, sizeof folder), argv[1]);
    snprintf(result, sizeof result, "%s.cksum", folder);
    snprintf(part, sizeof part, "%s.cksum.part", folder);
    int count = scandir(".", &files, no_folder, alphasort);
    for (int i = 0; i < count; i++) total += stat(files[i]->d_name, &info) == 0 ? info.st_size : 0;

    atexit(clean_up);
    FILE *sums = fopen(part, "w");
    need(sums != NULL, part);
    for (int i = 0; i < count; i++) {
        const char *name = files[i]->d_name;
        uintmax_t size = 0;
        uint32_t sum = 0;
        report(done, total, name); /* before the open, which may take a while */
        FILE *file = fopen(name, "r");
        need(file != NULL, name);
        for (size_t got; (got = fread(buffer, 1, sizeof buffer, file)) > 0; size += got) {
            for (size_t at = 0; at < got; at++) sum = crc(sum, buffer[at]);
            report(done += got, total, name);
        }
        need(!ferror(file) && fclose(file) == 0, name);
        for (uintmax_t rest = size; rest; rest >>= 8) sum = crc(sum, rest & 0xff);
        fprintf(sums, "%ju %ju %s\n", (uintmax_t)(uint32_t)~sum, size, name);
    }
    /* The last chance to cancel comes before the result is in place, so that "cancelled" always
     * means that nothing has happened. */
    report(done, total, "");
    need(fclose(sums) == 0 && rename(part, result) == 0, result);
}
