<?php
declare(strict_types=1);

// Logs in. A name is enough here; a real application asks for more.

namespace Resident;

require __DIR__ . '/../src/app.php';

post_only();
$name = field('name', 40);
session();
session_regenerate_id(true);
$_SESSION['user'] = $name;
header('Location: /', true, 303);
