<?php
$member = is_author() ? get_queried_object() : null;
?><!DOCTYPE html>
<html <?php language_attributes(); ?>>
<head><meta charset="<?php bloginfo('charset'); ?>"><title><?php echo esc_html($member ? $member->display_name : get_bloginfo('name')); ?></title><?php wp_head(); ?></head>
<body <?php body_class(); ?>>
<main>
<?php if ($member) : ?>
<h1><?php echo esc_html($member->display_name); ?></h1>
<div class="author-description"><?php echo wp_kses_post(wpautop(make_clickable(get_the_author_meta('description', $member->ID)))); ?></div>
<?php if ($member->user_url) : ?><p class="author-website"><a href="<?php echo esc_url($member->user_url); ?>" rel="nofollow"><?php echo esc_html($member->user_url); ?></a></p><?php endif; ?>
<?php else : ?>
<h1><?php bloginfo('name'); ?></h1>
<?php endif; ?>
</main>
<?php wp_footer(); ?>
</body>
</html>
