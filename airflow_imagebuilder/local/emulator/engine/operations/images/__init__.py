"""Operations on images and on what they have run."""
