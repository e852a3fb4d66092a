/* Makes a program with OpenSSL that does not know SSLKEYLOGFILE write one. Build: cc -shared -fPIC -o keylog.so keylog.c -ldl
 * Use: LD_PRELOAD=./keylog.so SSLKEYLOGFILE=keys.log nghttp … */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef void (*callback)(const void *, const char *);

static void write_line(const void *ssl, const char *line) {
    (void)ssl;
    const char *name = getenv("SSLKEYLOGFILE");
    int file = name ? open(name, O_WRONLY | O_APPEND | O_CREAT, 0600) : -1;
    if (file < 0)
        return;
    size_t length = strlen(line);
    char *whole = malloc(length + 1);
    if (whole) {
        memcpy(whole, line, length);
        whole[length] = '\n';
        if (write(file, whole, length + 1) < 0)
            abort();
        free(whole);
    }
    close(file);
}

void *SSL_CTX_new(const void *method) {
    void *(*make)(const void *) = (void *(*)(const void *))dlsym(RTLD_NEXT, "SSL_CTX_new");
    void (*set)(void *, callback) = (void (*)(void *, callback))dlsym(RTLD_NEXT, "SSL_CTX_set_keylog_callback");
    void *context = make(method);
    if (context && set)
        set(context, write_line);
    return context;
}
