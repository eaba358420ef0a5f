<?php
declare(strict_types=1);

// The page: a form to log in, or the tasks and messages of whoever is logged in.

namespace Resident;

require __DIR__ . '/../src/app.php';

session();
$user = $_SESSION['user'] ?? null;
session_write_close();
header('Cache-Control: no-store');
header("Content-Security-Policy: default-src 'self'");
?>
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Resident process</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/style.css">
<?php if ($user === null): ?>
<main class="login">
  <h1>Who are you?</h1>
  <form method="post" action="/login.php">
    <label>Name <input name="name" required maxlength="40" autofocus></label>
    <button>Log in</button>
  </form>
</main>
<?php else: ?>
<script type="module" src="/page.js"></script>
<header>
  <strong id="user"><?= htmlspecialchars($user) ?></strong>
  <span id="connection" data-state="connecting">connecting</span>
  <form method="post" action="/logout.php"><button class="plain">Log out</button></form>
</header>
<main>
  <section>
    <h2>Tasks</h2>
    <form id="task">
      <label>Count the primes up to <input name="upTo" type="number" min="10" max="200000000" value="20000000" required></label>
      <button>Start</button>
    </form>
    <p class="failure" id="task-failure" role="alert"></p>
    <ul id="tasks"></ul>
  </section>
  <section>
    <h2>Messages</h2>
    <form id="say">
      <label>To <input name="to" placeholder="everyone" maxlength="40"></label>
      <label class="wide">Text <input name="text" required maxlength="2000"></label>
      <button>Send</button>
    </form>
    <p class="failure" id="say-failure" role="alert"></p>
    <ol id="messages"></ol>
  </section>
</main>
<?php endif ?>
</html>
