/*
 * A floor control client or server on libre.
 *
 *   floors client|server udp PORT [SERVER-PORT]
 *   floors client|server pipe
 *
 * Over UDP, on 127.0.0.1, all of it is libre's: messages and transactions.
 * libre has no other transport; so otherwise the messages are its own, and go
 * through standard input and output, one after another as over TCP.
 *
 * What comes is told on standard error, a line each.
 */
#include <stdint.h>
#include <stdbool.h>
#include <inttypes.h>
#include <string.h>
#include <stdlib.h>
#include <unistd.h>
#include <re/re.h>

#define CONFERENCE 4321
#define USER 1234

static const uint16_t floorNumber = 1, requestNumber = 77;
static struct bfcp_conn *connection;
static struct sa server;
static bool isServer, overPipe;
static int step;
static uint16_t transaction = 100;

/* Everything is said the same way, whatever it goes through. */
#define SAY(request, response, prim, tid, count, ...)                                             \
    (overPipe ? writeOut((prim), (tid), (count), ##__VA_ARGS__)                                   \
     : (response) ? bfcp_reply(connection, (request), (prim), (count), ##__VA_ARGS__)             \
                  : bfcp_request(connection, &server, BFCP_VER2, (prim), CONFERENCE, USER,        \
                                 responded, NULL, (count), ##__VA_ARGS__))

static int writeOut(enum bfcp_prim prim, uint16_t tid, unsigned count, ...)
{
    struct mbuf *mb = mbuf_alloc(512);
    va_list ap;
    int err;

    va_start(ap, count);
    err = bfcp_msg_vencode(mb, BFCP_VER1, false, prim, CONFERENCE, tid, USER, count, &ap);
    va_end(ap);
    if (!err && write(STDOUT_FILENO, mb->buf, mb->end) != (ssize_t)mb->end)
        err = EPIPE;
    mem_deref(mb);
    return err;
}

static void tell(const struct bfcp_msg *message)
{
    const struct bfcp_attr *info = bfcp_msg_attr(message, BFCP_FLOOR_REQ_INFO);
    const struct bfcp_attr *overall = info ? bfcp_attr_subattr(info, BFCP_OVERALL_REQ_STATUS) : NULL;
    const struct bfcp_attr *status = overall ? bfcp_attr_subattr(overall, BFCP_REQUEST_STATUS) : NULL;
    const struct bfcp_attr *error = bfcp_msg_attr(message, BFCP_ERROR_CODE);

    re_fprintf(stderr, "%s", bfcp_prim_name(message->prim));
    if (status)
        re_fprintf(stderr, " %s", bfcp_reqstatus_name(status->v.reqstatus.status));
    if (error)
        re_fprintf(stderr, " %s", bfcp_errcode_name(error->v.errcode.code));
    re_fprintf(stderr, "\n");
}

static void finish(int err)
{
    re_fprintf(stderr, err ? "failed: %m\n" : "done\n", err);
    if (overPipe)
        exit(err != 0);
    re_cancel();
}

static void responded(int err, const struct bfcp_msg *message, void *arg);

static void ask(void)
{
    enum bfcp_priority priority = BFCP_PRIO_NORMAL;
    int err = 0;

    switch (step++) {
    case 0:
        err = SAY(NULL, false, BFCP_HELLO, ++transaction, 0);
        break;
    case 1:
        err = SAY(NULL, false, BFCP_FLOOR_REQUEST, ++transaction, 2, BFCP_FLOOR_ID | BFCP_MANDATORY, 0,
                  &floorNumber, BFCP_PRIORITY, 0, &priority);
        break;
    case 2:
        err = SAY(NULL, false, BFCP_FLOOR_RELEASE, ++transaction, 1,
                  BFCP_FLOOR_REQUEST_ID | BFCP_MANDATORY, 0, &requestNumber);
        break;
    case 3:
        err = SAY(NULL, false, BFCP_GOODBYE, ++transaction, 0);
        break;
    default:
        finish(0);
    }
    if (err)
        finish(err);
}

static void responded(int err, const struct bfcp_msg *message, void *arg)
{
    (void)arg;
    if (err) {
        finish(err);
        return;
    }
    tell(message);
    ask();
}

/* Somebody else has begun to talk about floors: who has which. */
static void announce(const struct bfcp_msg *request)
{
    if (overPipe)
        writeOut(BFCP_FLOOR_STATUS, 0, 1, BFCP_FLOOR_ID | BFCP_MANDATORY, 0, &floorNumber);
    else
        bfcp_notify(connection, &request->src, BFCP_VER2, BFCP_FLOOR_STATUS, CONFERENCE, USER, 1,
                    BFCP_FLOOR_ID | BFCP_MANDATORY, 0, &floorNumber);
}

static int status(const struct bfcp_msg *request, enum bfcp_reqstat state)
{
    struct bfcp_reqstatus said = {state, 0};

    return SAY(request, true, BFCP_FLOOR_REQUEST_STATUS, request->tid, 1,
               BFCP_FLOOR_REQ_INFO | BFCP_MANDATORY, 2, &requestNumber,
               BFCP_OVERALL_REQ_STATUS | BFCP_MANDATORY, 1, &requestNumber,
               BFCP_REQUEST_STATUS | BFCP_MANDATORY, 0, &said,
               BFCP_FLOOR_REQ_STATUS | BFCP_MANDATORY, 0, &floorNumber);
}

static void serve(const struct bfcp_msg *message)
{
    enum bfcp_prim primitives[] = {BFCP_FLOOR_REQUEST, BFCP_FLOOR_RELEASE, BFCP_HELLO, BFCP_GOODBYE};
    enum bfcp_attrib attributes[] = {BFCP_FLOOR_ID, BFCP_FLOOR_REQ_INFO};
    struct bfcp_supprim prims = {primitives, 4};
    struct bfcp_supattr attrs = {attributes, 2};
    int err = 0;

    tell(message);
    switch (message->prim) {
    case BFCP_HELLO:
        err = SAY(message, true, BFCP_HELLO_ACK, message->tid, 2, BFCP_SUPPORTED_PRIMS, 0, &prims,
                  BFCP_SUPPORTED_ATTRS, 0, &attrs);
        break;
    case BFCP_FLOOR_REQUEST:
        err = status(message, BFCP_GRANTED);
        announce(message);
        break;
    case BFCP_FLOOR_RELEASE:
        err = status(message, BFCP_RELEASED);
        break;
    case BFCP_GOODBYE:
        err = SAY(message, true, BFCP_GOODBYE_ACK, message->tid, 0);
        break;
    default:
        break;
    }
    if (err)
        finish(err);
}

static void received(const struct bfcp_msg *message, void *arg)
{
    (void)arg;
    if (isServer) {
        serve(message);
        return;
    }
    tell(message);
    if (message->prim == BFCP_FLOOR_STATUS)
        bfcp_reply(connection, message, BFCP_FLOOR_STATUS_ACK, 0);
}

/* As over TCP: messages end where their headers say. */
static void readIn(void)
{
    static uint8_t buffer[1 << 16];
    size_t have = 0;

    for (;;) {
        size_t length;
        struct bfcp_msg *message = NULL;
        struct mbuf *mb;

        while (have < 12 || have < (length = 12 + 4 * (buffer[2] << 8 | buffer[3]))) {
            ssize_t got = read(STDIN_FILENO, buffer + have, sizeof(buffer) - have);
            if (got <= 0)
                finish(0);
            have += (size_t)got;
        }
        mb = mbuf_alloc(length);
        mbuf_write_mem(mb, buffer, length);
        mb->pos = 0;
        memmove(buffer, buffer + length, have -= length);
        if (bfcp_msg_decode(&message, mb))
            finish(EBADMSG);
        if (isServer)
            serve(message);
        else if (message->tid)
            responded(0, message, NULL);
        else
            tell(message);
        mem_deref(message);
        mem_deref(mb);
    }
}

int main(int argc, char **argv)
{
    struct sa here;

    if (argc < 3)
        return 2;
    isServer = !strcmp(argv[1], "server");
    overPipe = !strcmp(argv[2], "pipe");
    if (libre_init())
        return 1;
    if (overPipe) {
        if (!isServer)
            ask();
        readIn();
    }
    if (argc < 4 || sa_set_str(&here, "127.0.0.1", atoi(argv[3])) ||
        bfcp_listen(&connection, BFCP_UDP, &here, NULL, received, NULL))
        return 1;
    if (!isServer) {
        sa_set_str(&server, "127.0.0.1", atoi(argv[4]));
        ask();
    }
    re_main(NULL);
    mem_deref(connection);
    libre_close();
    return 0;
}
