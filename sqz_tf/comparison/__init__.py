"""Table 2 of the SqueezeNet paper on a person's pictures: AlexNet, SqueezeNet and the compressions of both."""
