<?php
declare(strict_types=1);

// A token for this user's browser: the resident process hears whose it is, the browser shows it at the door.

namespace Resident;

require __DIR__ . '/../src/app.php';

post_only();
$user = user();
$token = bin2hex(random_bytes(24));
ask(['do' => 'token', 'token' => $token, 'user' => $user, 'expiresIn' => TOKEN_LIFE]);
ask(['do' => 'join', 'group' => 'everyone', 'user' => $user]);
answer(200, ['token' => $token]);
