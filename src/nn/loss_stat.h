/* What a loss node leaves in its output, an f32 tensor [STAT_N]; for C and for CUDA C. */
#ifndef SUPCON_NN_LOSS_STAT_H
#define SUPCON_NN_LOSS_STAT_H

enum loss_stat {
    STAT_LOSS, /* the scaled mean */
    STAT_TOP1, /* rows (anchors) whose best class is the label's; contrastive: nearest other row has
                  the same label */
    STAT_TOP5, /* rows whose label is among the five best; contrastive: 0 */
    STAT_LONELY, /* contrastive: anchors without positives */
    STAT_ROWS,   /* rows (anchors) counted */
    STAT_N = 8
};

#endif
