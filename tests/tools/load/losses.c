#include "losses.h"

void load_losses_add(struct load_losses *losses, const struct load_loss *loss)
{
    if (losses->count < LOAD_LOSSES_MAX) losses->items[losses->count++] = *loss;
}
