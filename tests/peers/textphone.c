/*
 * A text telephone: mediastreamer2's implementation of RFC 4103 on bare RTP.
 *
 *     textphone HEARD HERE THERE PLAIN RED TEXT
 *
 * It is on UDP port HERE and talks to port THERE of 127.0.0.1.  PLAIN and RED
 * are payload types; RED is 0 for no redundancy.  It types TEXT, ten characters
 * a second, as soon as it has heard something, and writes all that it hears to
 * the file HEARD, until it is ended.  When it listens it says so.
 */

#include <mediastreamer2/mediastream.h>
#include <mediastreamer2/msrtt4103.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_US 20000
#define TICKS_PER_KEY 5

static volatile sig_atomic_t ended;
static volatile int heard;
static FILE *file;

static void end(int signal) {
    (void)signal;
    ended = 1;
}

static void hear(void *data, MSFilter *filter, unsigned int event, void *argument) {
    (void)data;
    (void)filter;
    if (event != MS_RTT_4103_RECEIVED_CHAR) return;
    uint32_t c = ((RealtimeTextReceivedCharacter *)argument)->character;
    if (c < 0x80) {
        putc(c, file);
    } else if (c < 0x800) {
        putc(0xC0 | c >> 6, file);
        putc(0x80 | (c & 0x3F), file);
    } else {
        putc(0xE0 | c >> 12, file);
        putc(0x80 | (c >> 6 & 0x3F), file);
        putc(0x80 | (c & 0x3F), file);
    }
    fflush(file);
    heard = 1;
}

static TextStream *start(MSFactory *factory, int here, int there, int plain, int red) {
    RtpProfile *profile = rtp_profile_new("text");
    rtp_profile_set_payload(profile, plain, payload_type_clone(&payload_type_t140));
    if (red) {
        PayloadType *redundant = payload_type_clone(&payload_type_t140_red);
        char levels[32];
        snprintf(levels, sizeof levels, "%d/%d/%d", plain, plain, plain);
        payload_type_set_send_fmtp(redundant, levels);
        payload_type_set_recv_fmtp(redundant, levels);
        rtp_profile_set_payload(profile, red, redundant);
    }
    TextStream *stream = text_stream_new2(factory, "127.0.0.1", here, here + 1);
    text_stream_start(stream, profile, "127.0.0.1", there, "127.0.0.1", there + 1, red ? red : plain);
    /* The stream does not tell its filters which payload types these are. */
    MSFilter *source = stream->rttsource, *sink = stream->rttsink;
    ms_filter_call_method(source, MS_RTT_4103_SOURCE_SET_T140_PAYLOAD_TYPE_NUMBER, &plain);
    ms_filter_call_method(sink, MS_RTT_4103_SINK_SET_T140_PAYLOAD_TYPE_NUMBER, &plain);
    if (red) {
        ms_filter_call_method(source, MS_RTT_4103_SOURCE_SET_RED_PAYLOAD_TYPE_NUMBER, &red);
        ms_filter_call_method(sink, MS_RTT_4103_SINK_SET_RED_PAYLOAD_TYPE_NUMBER, &red);
    }
    ms_filter_add_notify_callback(sink, hear, NULL, TRUE);
    return stream;
}

int main(int count, char **words) {
    if (count != 7 || !(file = fopen(words[1], "wb"))) {
        fprintf(stderr, "usage: textphone HEARD HERE THERE PLAIN RED TEXT\n");
        return 2;
    }
    signal(SIGTERM, end);
    ortp_init();
    MSFactory *factory = ms_factory_new_with_voip();
    TextStream *stream = start(factory, atoi(words[2]), atoi(words[3]), atoi(words[4]), atoi(words[5]));
    const char *text = words[6];
    fprintf(stderr, "textphone is ready\n");
    for (unsigned tick = 0; !ended; tick++) {
        text_stream_iterate(stream);
        if (heard && *text && tick % TICKS_PER_KEY == 0) text_stream_putchar32(stream, (unsigned char)*text++);
        ms_usleep(TICK_US);
    }
    text_stream_stop(stream);
    ms_factory_destroy(factory);
    return 0;
}
