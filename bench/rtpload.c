/*
 * Load for a media gateway: RTP, SRTP and UDPTL packets through calls that somebody
 * else has set up, at a fixed rate.  Every packet that comes out is checked,
 * and its delay is taken: from just before it is sent to its arrival at the
 * socket on the other side, by the kernel's clock.
 *
 * It takes commands on standard input, one a line:
 *
 *   call END END                a call between two parties
 *   run DIRECTION RATE TOTAL CALLS PAYLOAD
 *                               send TOTAL packets with PAYLOAD octets each,
 *                               RATE a second, over the first CALLS calls, "up"
 *                               (first party to second), "down" or "both", or
 *                               as many as there is time for; says "ready",
 *                               waits for "go", and then says how it went, as
 *                               one line of JSON
 *
 * An END is a socket that it has inherited, where it sends, and how that is
 * protected: FD ADDRESS PORT SUITE KEY KEY, the key of what is sent first, in
 * hexadecimal; "- - -" without protection; "UDPTL - -" for fax.
 *
 * cc -O2 -o rtpload rtpload.c -lsrtp2
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <srtp2/srtp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEADER 12
/* Of UDPTL (T.38 clause 9.1): a number and a length before the data, and after
 * it, that there is no redundancy. */
#define FAX_HEADER 4
#define FAX_TRAILER 2
#define MAX_PAYLOAD 1400
/* The packet, and what protection adds. */
#define MAX_PACKET (HEADER + MAX_PAYLOAD + SRTP_MAX_TRAILER_LEN)
/* Room for a burst on the way back while this process does not run. */
#define RECEIVE_BUFFER (4 << 20)
/* Packets that are sent, if they are late, before it looks at what arrived. */
#define BURST 32
/* Somebody else had our core for so long: what should have been sent then is
 * not made up for, because packets that come all at once cost less. */
#define LATE 250000ull
/* But it does not go on for ever: for so much of the time that was asked for. */
#define STRETCH 1.5
/* How long to wait for the last packets. */
#define GRACE 500000000ull
#define SECOND 1000000000ull
/* The payload begins with the number of the run and that of the packet. */
#define STAMP 8

struct end {
  int fd;
  bool fax;
  srtp_t sends, receives;
};

struct flow {
  struct end *from, *to;
  uint32_t ssrc;
  uint16_t sequence;
};

struct packet {
  uint8_t *octets;
  uint64_t sent;
  uint16_t length, sequence;
  bool received;
};

struct counts {
  long sent, refused, received, bad, duplicate;
};

static struct flow *ups, *downs;
static int calls, room;
static int epoll;
static uint32_t run;

static struct flow **flows;
static int flow_count;
static struct packet *packets;
static uint64_t *delays;
static long total;
static int payload;
static struct counts counts;
/* A payload is a piece of this that begins at the packet's number. */
static uint8_t pattern[256 + MAX_PAYLOAD];

static void die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  exit(1);
}

static void *allocate(size_t count, size_t size) {
  void *memory = calloc(count ? count : 1, size);
  if (!memory) die("out of memory");
  return memory;
}

/* The kernel's time stamps are in real time, so this is too. */
static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return t.tv_sec * SECOND + t.tv_nsec;
}

static srtp_t context(const char *suite, const char *hexadecimal, bool outbound) {
  static const struct {
    const char *name;
    void (*set)(srtp_crypto_policy_t *);
  } suites[] = {
      {"AES_CM_128_HMAC_SHA1_80", srtp_crypto_policy_set_rtp_default},
      {"AES_CM_128_HMAC_SHA1_32", srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32},
      {"AEAD_AES_128_GCM", srtp_crypto_policy_set_aes_gcm_128_16_auth},
      {"AEAD_AES_256_GCM", srtp_crypto_policy_set_aes_gcm_256_16_auth},
  };
  if (!strcmp(suite, "-") || !strcmp(suite, "UDPTL")) return NULL;
  srtp_policy_t policy = {.window_size = 1024};
  for (size_t i = 0; i < sizeof suites / sizeof *suites; i++)
    if (!strcmp(suite, suites[i].name)) {
      suites[i].set(&policy.rtp);
      suites[i].set(&policy.rtcp);
    }
  uint8_t key[SRTP_MAX_KEY_LEN];
  size_t length = strlen(hexadecimal) / 2;
  if (!policy.rtp.cipher_key_len || length != (size_t)policy.rtp.cipher_key_len)
    die("no suite %s with keys of %zu octets", suite, length);
  for (size_t i = 0; i < length; i++)
    if (sscanf(hexadecimal + 2 * i, "%2hhx", key + i) != 1) die("a key is not hexadecimal");
  policy.key = key;
  policy.ssrc.type = outbound ? ssrc_any_outbound : ssrc_any_inbound;
  srtp_t session;
  if (srtp_create(&session, &policy)) die("libsrtp refuses %s", suite);
  return session;
}

static struct end *end(int fd, const char *address, int port, const char *suite, const char *sends,
                       const char *receives) {
  struct sockaddr_in remote = {.sin_family = AF_INET, .sin_port = htons(port)};
  if (inet_pton(AF_INET, address, &remote.sin_addr) != 1) die("no IPv4 address: %s", address);
  if (connect(fd, (struct sockaddr *)&remote, sizeof remote)) die("cannot connect to %s:%d", address, port);
  int one = 1, size = RECEIVE_BUFFER;
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size))
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one)) die("no time stamps");
  if (fcntl(fd, F_SETFL, O_NONBLOCK)) die("cannot make a socket non-blocking");
  struct end *e = allocate(1, sizeof *e);
  *e = (struct end){.fd = fd, .fax = !strcmp(suite, "UDPTL"), 
                    .sends = context(suite, sends, true), .receives = context(suite, receives, false)};
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = e};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) die("cannot watch a socket");
  return e;
}

static void add_call(const char *line) {
  int fd[2], port[2];
  char address[2][64], suite[2][64], sends[2][128], receives[2][128];
  if (sscanf(line, "call %d %63s %d %63s %127s %127s %d %63s %d %63s %127s %127s", &fd[0], address[0], &port[0],
             suite[0], sends[0], receives[0], &fd[1], address[1], &port[1], suite[1], sends[1], receives[1]) != 12)
    die("not a call: %s", line);
  if (calls == room) {
    room = room ? 2 * room : 64;
    ups = realloc(ups, room * sizeof *ups);
    downs = realloc(downs, room * sizeof *downs);
    if (!ups || !downs) die("out of memory");
  }
  struct end *ends[2];
  for (int i = 0; i < 2; i++) ends[i] = end(fd[i], address[i], port[i], suite[i], sends[i], receives[i]);
  ups[calls] = (struct flow){.from = ends[0], .to = ends[1], .ssrc = 0x10000000 + calls};
  downs[calls] = (struct flow){.from = ends[1], .to = ends[0], .ssrc = 0x20000000 + calls};
  calls++;
}

/* All packets exist before the first is sent, so that sending is all there is
 * to do then. */
static void prepare(void) {
  size_t stride = HEADER + payload + SRTP_MAX_TRAILER_LEN;
  uint8_t *octets = allocate(total, stride);
  packets = allocate(total, sizeof *packets);
  delays = allocate(total, sizeof *delays);
  for (uint32_t i = 0; i < total; i++) {
    struct flow *f = flows[i % flow_count];
    struct packet *p = &packets[i];
    p->octets = octets + i * stride;
    p->sequence = f->sequence++;
    uint8_t *content = p->octets + (f->from->fax ? FAX_HEADER : HEADER);
    if (f->from->fax) {
      p->octets[0] = p->sequence >> 8;
      p->octets[1] = p->sequence;
      p->octets[2] = 0x80 | payload >> 8;
      p->octets[3] = payload;
      memset(content + payload, 0, FAX_TRAILER);
    } else {
      uint32_t timestamp = htonl(p->sequence * 160u), ssrc = htonl(f->ssrc);
      p->octets[0] = 0x80;
      p->octets[1] = 0; /* PCMU */
      p->octets[2] = p->sequence >> 8;
      p->octets[3] = p->sequence;
      memcpy(p->octets + 4, &timestamp, 4);
      memcpy(p->octets + 8, &ssrc, 4);
    }
    memcpy(content, &run, 4);
    memcpy(content + 4, &i, 4);
    memcpy(content + STAMP, pattern + (uint8_t)i, payload - STAMP);
    int length = f->from->fax ? FAX_HEADER + payload + FAX_TRAILER : HEADER + payload;
    if (f->from->sends && srtp_protect(f->from->sends, p->octets, &length)) die("libsrtp does not protect");
    p->length = length;
  }
}

static void transmit(long i) {
  struct packet *p = &packets[i];
  p->sent = now();
  if (send(flows[i % flow_count]->from->fd, p->octets, p->length, 0) < 0) counts.refused++;
  counts.sent++;
}

/* Something arrived at one end.  What the gateway says to the party itself,
 * in STUN, DTLS or RTCP, is none of our packets. */
static void check(struct end *e, uint8_t *octets, int length, uint64_t at) {
  if (length < 2) return;
  if (!e->fax && (octets[0] < 128 || octets[0] > 191 || (octets[1] >= 192 && octets[1] <= 223))) return;
  if (e->receives && srtp_unprotect(e->receives, octets, &length)) {
    counts.bad++;
    return;
  }
  uint32_t number = run + 1, i = 0;
  int header = e->fax ? FAX_HEADER : HEADER, whole = header + payload + (e->fax ? FAX_TRAILER : 0);
  uint8_t *content = octets + header, *sequence = e->fax ? octets : octets + 2;
  if (length >= header + STAMP) {
    memcpy(&number, content, 4);
    memcpy(&i, content + 4, 4);
  }
  /* Its run is over, and counted it as lost. */
  if (number < run) return;
  if (length != whole || number != run || i >= total) {
    counts.bad++;
    return;
  }
  struct packet *p = &packets[i];
  struct flow *f = flows[i % flow_count];
  uint32_t ssrc = htonl(f->ssrc);
  if (f->to != e || (!e->fax && memcmp(octets + 8, &ssrc, 4)) || (sequence[0] << 8 | sequence[1]) != p->sequence ||
      memcmp(content + STAMP, pattern + (uint8_t)i, payload - STAMP)) {
    counts.bad++;
    return;
  }
  if (p->received) {
    counts.duplicate++;
    return;
  }
  p->received = true;
  delays[counts.received++] = at > p->sent ? at - p->sent : 0;
}

static void drain(struct end *e) {
  static uint8_t octets[65536];
  union {
    char space[CMSG_SPACE(sizeof(struct timespec))];
    struct cmsghdr aligned;
  } control;
  for (;;) {
    struct iovec part = {octets, sizeof octets};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t length = recvmsg(e->fd, &message, 0);
    /* Nothing more, or an ICMP error: what was lost is seen by its absence. */
    if (length < 0) return;
    uint64_t at = now();
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
      if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
        struct timespec stamp;
        memcpy(&stamp, CMSG_DATA(c), sizeof stamp);
        at = stamp.tv_sec * SECOND + stamp.tv_nsec;
      }
    check(e, octets, length, at);
  }
}

static void drain_all(void) {
  struct epoll_event events[256];
  int ready = epoll_wait(epoll, events, 256, 0);
  for (int i = 0; i < ready; i++) drain(events[i].data.ptr);
}

static int ascending(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static double delay(double quantile) {
  long n = counts.received;
  return n ? delays[(long)(quantile * (n - 1))] / 1e3 : -1;
}

static void go(double rate) {
  uint64_t begun = now(), schedule = begun, end = 0, t;
  uint64_t stop = begun + (uint64_t)(STRETCH * total * 1e9 / rate);
  for (;;) {
    t = now();
    for (int i = 0; i < BURST && counts.sent < total && !end; i++, t = now()) {
      uint64_t due = schedule + (uint64_t)(counts.sent * 1e9 / rate);
      if (t < due) break;
      if (t > due + LATE) schedule += t - due;
      transmit(counts.sent);
    }
    if ((counts.sent == total || t > stop) && !end) end = t;
    /* It never sleeps in wait for a packet: waking it up would cost the
     * sender of that packet, which is the gateway. */
    drain_all();
    if (end && (counts.received == counts.sent || t > end + GRACE)) break;
  }
  double seconds = (end - begun) / 1e9;
  qsort(delays, counts.received, sizeof *delays, ascending);
  printf("{\"sent\": %ld, \"refused\": %ld, \"received\": %ld, \"bad\": %ld, \"duplicate\": %ld, \"seconds\": %.6f, "
         "\"p50\": %.1f, \"p99\": %.1f, \"worst\": %.1f}\n",
         counts.sent, counts.refused, counts.received, counts.bad, counts.duplicate, seconds, delay(.5), delay(.99),
         delay(1));
}

static void add_flow(struct flow *flow) { flows[flow_count++] = flow; }

static void run_once(const char *line) {
  char direction[8], word[8];
  double rate;
  int used;
  if (sscanf(line, "run %7s %lf %ld %d %d", direction, &rate, &total, &used, &payload) != 5 || rate <= 0 ||
      total < 1 || used < 1 || used > calls || payload < STAMP || payload > MAX_PAYLOAD)
    die("not a run: %s", line);
  bool up = strcmp(direction, "down"), down = strcmp(direction, "up");
  flows = allocate(2 * used, sizeof *flows);
  flow_count = 0;
  for (int i = 0; i < used; i++) {
    if (up) add_flow(&ups[i]);
    if (down) add_flow(&downs[i]);
  }
  counts = (struct counts){0};
  run++;
  prepare();
  puts("ready");
  if (scanf("%7s", word) != 1 || strcmp(word, "go")) die("neither go nor stay");
  go(rate);
  free(packets[0].octets);
  free(packets);
  free(delays);
  free(flows);
}

int main(void) {
  char *line = NULL;
  size_t size = 0;
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (size_t i = 0; i < sizeof pattern; i++) pattern[i] = i;
  if (srtp_init()) die("libsrtp does not work");
  if ((epoll = epoll_create1(0)) < 0) die("no epoll");
  while (getline(&line, &size, stdin) > 0) {
    if (!strncmp(line, "call ", 5))
      add_call(line);
    else if (!strncmp(line, "run ", 4))
      run_once(line);
    else if (*line != '\n')
      die("not a command: %s", line);
  }
  free(line);
  return 0;
}
